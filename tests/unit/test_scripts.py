"""Modules put together as one text."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest

from vernis.report.scripts import bundle, bundle_with_screens

MODULES = {
    "main.mjs": 'import { one as first } from "./shared/one.mjs";\n'
    'export const started = first();\nlet later = () => import("./screens/a.mjs");\n',
    "shared/one.mjs": "// The only one.\n/* Of\n * many. */\nconst hidden = 1;\n"
    "export function one() { return hidden; }\n",
    "shared/two.mjs": 'import { one } from "./one.mjs";\nconst hidden = 2;\n'
    "export const two = one() + hidden;\n",
    "own.mjs": 'import { two } from "./shared/two.mjs";\nexport const three = two;\n',
    "screens/a.mjs": 'import { two } from "../shared/two.mjs";\n'
    'import { three } from "../own.mjs";\nexport async function open() { return [two, three]; }\n',
    "screens/b.mjs": 'import { two } from "../shared/two.mjs";\nexport const b = two;\n',
}
needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="needs node")


def said(text: str) -> object:
    run = subprocess.run(
        ["node", "--input-type=module", "-e", text], capture_output=True, text=True, check=True
    )
    return json.loads(run.stdout)


def test_comments_of_whole_lines_are_left_out():
    text = bundle("shared/one.mjs", MODULES.__getitem__)
    assert "only" not in text
    assert "many" not in text


@needs_node
def test_modules_do_not_see_each_others_names():
    text = bundle("own.mjs", MODULES.__getitem__)
    name = text.rsplit("const module", 1)[0].count("=> {")
    assert name == 2  # two modules come before the one that was asked for
    assert said(f"{text}console.log(JSON.stringify(module0_.three));") == 3


@needs_node
def test_what_several_screens_need_is_there_once(tmp_path):
    screens = ["screens/a.mjs", "screens/b.mjs"]
    made = bundle_with_screens("main.mjs", screens, MODULES.__getitem__, f"{tmp_path}/")
    (tmp_path / "screens").mkdir()
    for path, text in made.items():
        (tmp_path / path).write_text(text, encoding="utf-8")
    assert set(made) == {"main.mjs", *screens}
    assert "two = one()" in made["main.mjs"]
    assert "three = two" in made["screens/a.mjs"]  # which a alone needs
    assert "three" not in made["main.mjs"]
    assert f'import("{tmp_path}/screens/a.mjs")' in made["main.mjs"]
    asked = f'import {{ open }} from "{tmp_path}/screens/a.mjs"; import {{ b }} from '
    asked += f'"{tmp_path}/screens/b.mjs"; console.log(JSON.stringify([await open(), b]));'
    assert said(asked) == [[3, 3], 3]
