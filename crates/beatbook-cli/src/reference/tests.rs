//! Names of records read and print back.

use super::*;

#[test]
fn every_form_reads_and_prints_back() {
    for text in ["B07/118", "new-3f2a/1", "52/9123/B07/118", "52/PC9123/new-00ff/7"] {
        assert_eq!(RecordName::parse(text).unwrap().to_string(), text);
    }
    assert_eq!(RecordName::parse(" B07/118 ").unwrap().to_string(), "B07/118");
}

#[test]
fn what_is_no_record_is_refused() {
    for text in [
        "",
        "B07",
        "118",
        "B07/",
        "/118",
        "B07/0",
        "B07/-1",
        "B07/+1",
        "B07/1/2",
        "5/9123/B07/1",
        "xx/9123/B07/1",
        "B 07/1",
        "B07/18446744073709551616",
        "B07/1x",
        "52/9123/B07/118/2",
        "../1",
        "B07/\u{202e}1",
    ] {
        assert_eq!(RecordName::parse(text), Err(NotARecord), "{text:?}");
    }
}
