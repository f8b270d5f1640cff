"""Office-31: 31 things from an office, in pictures of a shop and of two cameras, one source and one task per domain.

Saenko et al., "Adapting Visual Category Models to New Domains", ECCV 2010.
Its names and folders are options, so that Office-Home has the same reader.
"""

from mtlrun.data.readers.domain_folders import load

__all__ = ["load"]
