"""A run folder whose configuration is damaged, or was made to do harm, is refused in one line."""

import pytest

from mtlrun.config.saved import load_config
from mtlrun.errors import ResumeError

BAD = {
    "circle": b"a: &a [*a]\n",
    "bomb": b"a: &a [x, x]\n" + b"".join(b"a%d: &a%d [%s]\n" % (n, n, b"*a, " * 99) for n in range(9)),
    "binary": bytes(range(256)),
    "deep": b"[" * 5000 + b"]" * 5000,
    "call": b"!!python/object/apply:os.mkdir ['pwned']\n",
    "list": b"- 1\n",
    "text": b"hello\n",
}


@pytest.mark.parametrize("name", BAD)
def test_refused(name, tmp_path):
    (tmp_path / ".hydra").mkdir()
    (tmp_path / ".hydra/config.yaml").write_bytes(BAD[name])
    with pytest.raises(ResumeError) as caught:
        load_config(tmp_path)
    assert "\n" not in str(caught.value)
