"""What runs came to: tables, statistics, figures. `mtlrun.report(paths)` makes a report.

The package is callable, since its name in `mtlrun` is also that of the function: importing any of its modules would
otherwise put the package in the function's place.
"""

import sys
from types import ModuleType
from typing import Any


class _CallablePackage(ModuleType):
    def __call__(self, *arguments: Any, **options: Any) -> Any:  # the signature is that of mtlrun.report.make.report
        from mtlrun.report.make import report

        return report(*arguments, **options)


sys.modules[__name__].__class__ = _CallablePackage
