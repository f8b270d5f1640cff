"""Office-Home: 65 things in four styles of pictures, one source and one task per style.

Venkateswara et al., "Deep Hashing Network for Unsupervised Domain Adaptation", CVPR 2017, arXiv:1706.07522.
Its names and folders are options, so that Office-31 has the same reader.
"""

from mtlrun.data.readers.domain_folders import load

__all__ = ["load"]
