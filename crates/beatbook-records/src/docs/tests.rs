//! The page in the repository is the page that the table makes.

use std::path::Path;

use super::*;

#[test]
fn the_page_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/records.md");
    let page = markdown();
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == page,
        "docs/records.md is not what the schema table makes: run cargo xtask vectors --bless"
    );
}

#[test]
fn every_field_and_word_is_on_the_page() {
    let page = markdown();
    for family in FAMILIES {
        for spec in family.all_fields() {
            assert!(page.contains(&format!("| {} | `{}` |", spec.id.0, spec.name)));
            for member in spec
                .members()
                .iter()
                .chain(spec.members().iter().flat_map(|member| member.members()))
            {
                assert!(page.contains(&format!("| {} | `{}` |", member.id.0, member.name)));
            }
        }
    }
    for vocabulary in vocabulary::ALL {
        for word in vocabulary.words {
            assert!(page.contains(&format!("| `{}` | {} |", word.code, word.meaning)));
        }
    }
    assert!(page.lines().all(|line| line == line.trim_end()));
}
