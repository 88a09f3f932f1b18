"""The storages of docs/storage.md, as they stand there."""

import re
import sys
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

import app

PAGE = Path(app.__file__).parent.parent / "docs/storage.md"


def typed(name: str) -> ModuleType:
    """Return the module which that page says to write into app/."""
    [code] = re.findall(
        rf"^Write `app/{name}\.py`:\n\n```python\n(.*?)^```",
        PAGE.read_text(),
        re.MULTILINE | re.DOTALL,
    )
    spec = spec_from_loader(f"app.{name}", loader=None)
    assert spec
    module = sys.modules[spec.name] = module_from_spec(spec)
    exec(compile(code, f"{PAGE} ({name})", "exec"), vars(module))  # noqa: S102
    return module


SQLiteStorage = typed("sqlite_storage").SQLiteStorage
PostgresStorage = typed("postgres_storage").PostgresStorage
