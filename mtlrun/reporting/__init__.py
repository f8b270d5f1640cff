"""What runs came to: tables, statistics, figures."""
