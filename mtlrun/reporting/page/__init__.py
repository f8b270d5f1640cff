"""A report as one HTML file that opens offline: `mtlrun report PATH... --html FILE`."""
