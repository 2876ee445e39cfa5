"""What several end-to-end tests share: a prompt whose commands begin without importing."""

from collections.abc import Iterator

import pytest

from tests.fakes.forking import Prompt, open_prompt


@pytest.fixture(scope="session")
def prompt(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prompt]:
    opened = open_prompt(tmp_path_factory.mktemp("prompt"))
    yield opened
    opened.close()
