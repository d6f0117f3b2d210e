//! What is printed, to the letter.

use super::*;

fn printed(
    json: bool,
    columns: Option<u16>,
    print: impl FnOnce(&mut Output<'_>) -> io::Result<()>,
) -> (String, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let terminal = Terminal {
        columns,
        progress: false,
    };
    print(&mut Output::new(&mut out, &mut err, json, terminal)).unwrap();
    (String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
}

#[test]
fn a_write_prints_the_record_alone() {
    assert_eq!(
        printed(false, None, |output| output.record("B07/118")).0,
        "B07/118\n"
    );
    assert_eq!(
        printed(true, None, |output| output.record("B07/118")).0,
        "{\"record\":\"B07/118\"}\n"
    );
}

#[test]
fn a_table_reads_like_a_list() {
    let rows = vec![
        vec!["B07/2".to_owned(), "NOTE".to_owned(), "Shutter forced".to_owned()],
        vec![
            "B07/118".to_owned(),
            "CONTACT".to_owned(),
            "Two\nlines".to_owned(),
        ],
    ];
    let headings = ["record", "family", "summary"];
    insta::assert_snapshot!(printed(false, None, |output| output.table(&headings, &rows)).0);
    assert_eq!(printed(false, None, |output| output.table(&headings, &[])).0, "");
}

#[test]
fn a_narrow_terminal_wraps_the_cells() {
    let rows = vec![vec!["B07/2".to_owned(), "word ".repeat(30)]];
    let text = printed(false, Some(60), |output| {
        output.table(&["record", "summary"], &rows)
    })
    .0;
    assert!(
        text.lines().count() > 2 && text.lines().all(|line| line.chars().count() <= 60),
        "{text}"
    );
}

#[test]
fn a_hint_is_for_people() {
    let say = |output: &mut Output<'_>| {
        output.hint("nothing matches");
        output.remark("not reached");
        Ok(())
    };
    assert_eq!(printed(true, None, say).1, "not reached\n");
    assert_eq!(printed(false, None, say).1, "nothing matches\nnot reached\n");
}
