//! Each rule is shown a sample that breaks it and one that does not.

use super::*;

/// What the rules say about a text at a path, as printed.
fn said(path: &str, text: &str) -> Vec<String> {
    findings(&Source { path, text }, &|target| target == "docs/there.md")
        .iter()
        .map(ToString::to_string)
        .collect()
}

/// Asserts that exactly one rule speaks, at this line, with these words.
fn assert_one(path: &str, text: &str, line: usize, words: &str) {
    let said = said(path, text);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].starts_with(&format!("{path}:{line}: ")), "{said:?}");
    assert!(said[0].contains(words), "{said:?}");
}

/// A Rust file that is in order but for `body`, which begins at line 2.
fn rust(body: &str) -> String {
    format!("//! A sample.\n{body}\n")
}

#[test]
fn a_file_in_order_passes() {
    let text = rust("/// Adds.\npub fn add(a: u8, b: u8) -> u16 {\n    u16::from(a) + u16::from(b)\n}");
    assert_eq!(said("a/src/lib.rs", &text), Vec::<String>::new());
}

#[test]
fn a_module_without_header_is_found() {
    assert_one("a/src/lib.rs", "fn main() {}\n", 1, "no `//!`");
    assert_one("a/src/lib.rs", "//!\nfn main() {}\n", 1, "no `//!`");
}

#[test]
fn a_long_file_is_found_and_a_longish_one_warned_of() {
    assert_one("a/src/lib.rs", &rust(&"// x\n".repeat(800)), 801, "at most 800");
    assert_one(
        "a/src/lib.rs",
        &rust(&"// x\n".repeat(500)),
        501,
        "warning: 502 lines",
    );
    assert_eq!(
        said(
            "a/src/lib.rs",
            &rust(&format!("// tidy: table\n{}", "// x\n".repeat(900)))
        )
        .len(),
        0
    );
}

#[test]
fn a_mod_rs_and_a_drawer_are_found() {
    assert_one("a/src/b/mod.rs", &rust(""), 1, "mod.rs");
    assert_one("a/src/utils.rs", &rust(""), 1, "odds and ends");
}

#[test]
fn a_character_outside_ascii_is_found() {
    assert_one("a/src/lib.rs", &rust("// caf\u{e9}"), 2, "\\u{e9}");
    assert_one("a.toml", "# caf\u{e9}\n", 1, "outside ASCII");
}

#[test]
fn unfinished_marks_are_found_in_any_file() {
    for mark in [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("X", "XX")] {
        assert_one("a/src/lib.rs", &rust(&format!("// {mark}: later")), 2, mark);
        assert_one("README.md", &format!("{mark}\n"), 1, mark);
        assert_eq!(said("README.md", &format!("A{mark}B\n")).len(), 0);
    }
}

#[test]
fn unfinished_macros_are_found_but_not_in_strings() {
    assert_one("a/src/lib.rs", &rust("fn a() { todo!() }"), 2, "unfinished");
    assert_one(
        "a/src/lib.rs",
        &rust("fn a() {\n unimplemented!(\"later\") }"),
        3,
        "unfinished",
    );
    assert_eq!(
        said("a/src/lib.rs", &rust("const A: &str = \"todo!()\";")).len(),
        0
    );
}

#[test]
fn a_long_function_is_found_also_inside_a_macro() {
    let long = format!("fn long()\n{{\n{}}}", "a();\n".repeat(68));
    assert_one("a/src/lib.rs", &rust(&long), 2, "`long` has 71 lines");
    assert_one(
        "a/src/lib.rs",
        &rust(&format!("some! {{\n{long}\n}}")),
        3,
        "`long` has 71 lines",
    );
    let fits = format!("fn fits()\n{{\n{}}}", "a();\n".repeat(67));
    assert_eq!(said("a/src/lib.rs", &rust(&fits)).len(), 0);
}

#[test]
fn tests_that_cannot_fail_are_found() {
    assert_one(
        "a/src/lib.rs",
        &rust("#[test]\n#[ignore = \"slow\"]\nfn a() {}"),
        3,
        "ignored",
    );
    assert_one(
        "a/src/lib.rs",
        &rust("#[test]\n#[should_panic]\nfn a() {}"),
        3,
        "any panic",
    );
}

#[test]
fn a_sleeping_test_is_found_and_a_waiting_one_is_not() {
    let sleep = "thread::sleep(TICK);";
    assert_one(
        "a/tests/b.rs",
        &rust(&format!("fn a() {{ {sleep} }}")),
        2,
        "sleeps",
    );
    assert_one(
        "a/src/b/tests.rs",
        &rust("async fn a() { tokio::time::sleep(TICK).await; }"),
        2,
        "sleeps",
    );
    assert_one(
        "a/src/lib.rs",
        &rust(&format!("#[cfg(test)]\nmod tests {{ fn a() {{ {sleep} }} }}")),
        3,
        "sleeps",
    );
    assert_one(
        "a/src/lib.rs",
        &rust(&format!("#[tokio::test]\nasync fn a() {{ {sleep} }}")),
        3,
        "sleeps",
    );
    assert_eq!(
        said(
            "a/tests/b.rs",
            &rust(&format!("fn wait_until() {{ loop {{ {sleep} }} }}"))
        )
        .len(),
        0
    );
    assert_eq!(
        said(
            "a/src/lib.rs",
            &rust(&format!("#[cfg(test)]\nmod tests;\nfn a() {{ {sleep} }}"))
        )
        .len(),
        0
    );
}

#[test]
fn a_silenced_warning_without_reason_is_found() {
    assert_one(
        "a/src/lib.rs",
        &rust("#[allow(dead_code)]\nfn a() {}"),
        2,
        "without a reason",
    );
    assert_one(
        "a/src/lib.rs",
        &rust("#![expect(dead_code)]"),
        2,
        "without a reason",
    );
    assert_one(
        "a/src/lib.rs",
        &rust("#![cfg_attr(test, allow(dead_code))]"),
        2,
        "without a reason",
    );
    assert_eq!(
        said(
            "a/src/lib.rs",
            &rust("#[expect(dead_code, reason = \"for the day\")]\nfn a() {}")
        )
        .len(),
        0
    );
}

#[test]
fn words_outside_the_glossary_are_found_in_names() {
    assert_one(
        "a/src/lib.rs",
        &rust("struct SessionManager;"),
        2,
        "not `manager`",
    );
    assert_one("a/src/lib.rs", &rust("fn upsert_record() {}"), 2, "not `upsert`");
    assert_one("a/src/lib.rs", &rust("fn get_record() {}"), 2, "no get_");
    assert_eq!(said("a/src/lib.rs", &rust("struct Factor;")).len(), 0);
}

#[test]
fn paths_of_one_machine_are_found() {
    let path = concat!("/", "root", "/data");
    assert_one(
        "a/src/lib.rs",
        &rust(&format!("const A: &str = \"{path}\";")),
        2,
        "one machine",
    );
    assert_one(".ci/run", &format!("cd {path}\n"), 1, "one machine");
    assert_eq!(
        said("README.md", &format!("See `crates{path}` and {path}s.\n")).len(),
        1
    );
    assert_eq!(
        said("README.md", "Net/work, net/workers, ./root and \"/workers\".\n").len(),
        0
    );
}

#[test]
fn registry_hosts_are_found_but_in_the_lock_file() {
    let host = concat!("crates", ".io");
    assert_one("README.md", &format!("https://{host}/x\n"), 1, "package registry");
    assert_eq!(said("Cargo.lock", &format!("source = \"{host}\"\n")).len(), 0);
}

#[test]
fn american_spelling_is_found_in_prose_only() {
    assert_one("README.md", "Its behavior.\n", 1, "`behaviour`");
    assert_eq!(
        said("README.md", "Its `behavior`.\n```\nbehavior\n```\n").len(),
        0
    );
    assert_one("a/src/lib.rs", &rust("// Serializes it."), 2, "`serialise`");
    assert_eq!(
        said("a/src/lib.rs", &rust("use serde::Serialize; // `Serialize`")).len(),
        0
    );
}

#[test]
fn links_that_lead_nowhere_are_found() {
    assert_one("docs/a.md", "[b](b.md)\n", 1, "docs/b.md");
    assert_one("docs/a.md", "[b]: ../b.md\n", 1, "`b.md` leads nowhere");
    assert_one("docs/a.md", "[b](../../b.md)\n", 1, "leaves the repository");
    let fine =
        "[there](there.md#part) [up](../docs/there.md) [site](https://a.example) [here](#x) `[no](no.md)`\n";
    assert_eq!(said("docs/a.md", fine).len(), 0);
}

#[test]
fn what_is_not_rust_is_found() {
    assert_one("a/src/lib.rs", &rust("fn a( {"), 2, "not Rust");
}

#[test]
fn a_crate_outside_the_tables_of_the_workspace_is_found() {
    let lints = "[lints]\nworkspace = true\n";
    let inherited =
        "[dependencies]\na.workspace = true\nb = { workspace = true, features = [\"c\"] }\n# d = \"1\"\n";
    assert_eq!(said("a/Cargo.toml", &format!("{lints}{inherited}")).len(), 0);
    assert_one("a/Cargo.toml", inherited, 1, "lints of its own");
    assert_one(
        "a/Cargo.toml",
        &format!("{lints}[dependencies]\na = \"1\"\n"),
        4,
        "version of its own",
    );
    assert_one(
        "a/Cargo.toml",
        &format!("{lints}[dev-dependencies]\na = {{ path = \"../a\" }}\n"),
        4,
        "version of its own",
    );
    assert_eq!(said("fuzz/Cargo.toml", "[dependencies]\na = \"1\"\n").len(), 0);
}

/// What the page of hazards is told about a text, with one guard that is there.
fn said_of_hazards(text: &str) -> Vec<String> {
    let source = Source {
        path: hazards::PAGE,
        text,
    };
    let read = |path: &str| (path == "a/tests.rs").then(|| "fn holds() {}".to_owned());
    let mut found = Vec::new();
    hazards::check(&source, &read, &mut found);
    found.iter().map(ToString::to_string).collect()
}

#[test]
fn a_guard_that_is_not_there_is_found() {
    let page =
        |guards: &str| format!("| L-1 | loss |\n| H-1 | hazard | L-1 |\n| C-1 | H-1 | holds | {guards} |\n");
    for good in ["`a/tests.rs`", "`a/tests.rs::holds`"] {
        assert_eq!(said_of_hazards(&page(good)), Vec::<String>::new());
    }
    for (bad, words) in [
        ("`a/gone.rs`", "no file a/gone.rs"),
        ("`a/tests.rs::hold`", "no test of that name"),
        ("nobody", "a constraint without one is a wish"),
    ] {
        let said = said_of_hazards(&page(bad));
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].contains(words), "{said:?}");
    }
}

#[test]
fn losses_hazards_and_constraints_refer_to_each_other() {
    let guard = "`a/tests.rs`";
    for (page, words) in [
        (
            format!("| L-1 | x |\n| H-1 | x | L-2 |\n| C-1 | H-1 | x | {guard} |\n"),
            "L-2, which no row defines",
        ),
        (
            format!("| L-1 | x |\n| H-1 | x | none |\n| C-1 | H-1 | x | {guard} |\n"),
            "names no loss",
        ),
        (
            "| L-1 | x |\n| H-1 | x | L-1 |\n".to_owned(),
            "no constraint refers to H-1",
        ),
        ("| L-7 | x |\n".to_owned(), "no hazard refers to L-7"),
    ] {
        let said = said_of_hazards(&page);
        assert!(said.iter().any(|line| line.contains(words)), "{words}: {said:?}");
    }
}
