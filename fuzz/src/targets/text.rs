//! What people type: tokens, references, times, grid references, assignments. Refused, or read as what is written again.

use std::fmt::Write as _;

use beatbook_field::Reference;
use beatbook_quic::{Pin, Secret, ServerAddress, Token};
use beatbook_records::{MergedFields, assign, grid, schema, time};

/// The first byte chooses what the text is to be.
pub(super) fn run(data: &[u8]) {
    let Some((choice, bytes)) = data.split_first() else {
        return;
    };
    let Ok(text) = str::from_utf8(bytes) else { return };
    match choice % 6 {
        0 => token(text),
        1 => reference(text),
        2 => moments(text),
        3 => places(text),
        4 => assignments(text),
        _ => addresses(text),
    }
}

/// One good text of each.
pub(super) fn seeds() -> Vec<Vec<u8>> {
    let address = ServerAddress::new("sync.force.example", 4433).expect("the address is one");
    let secret = Secret::from_bytes([7; Secret::BYTES]);
    let token = Token::new(address, Pin([3; Pin::BYTES]), secret).to_string();
    let texts = [
        (0, token.as_str()),
        (0, "BB1-00000"),
        (1, "B07/118"),
        (1, "new-3f2a/1"),
        (1, "52/9123/B07/118"),
        (1, "01890a5d-ac96-774b-bcce-b302099a8057/3"),
        (2, "2026-11-07T14:05:00Z"),
        (2, "2026-11-07 14:05"),
        (2, "2026-10-25 01:30"),
        (2, "2026-11-07"),
        (3, "ST 588 731"),
        (3, "ST5880073100"),
        (
            4,
            "narrative=Two lads by the bus stop.\nlocation.point=51.4637,-2.5890",
        ),
        (4, "tags+=YOUTH\ntags-=YOUTH\noccurred.from=2026-11-07 14:05"),
        (5, "sync.force.example:4433"),
        (5, "[::1]:4433"),
    ];
    texts
        .iter()
        .map(|(choice, text)| [&[*choice], text.as_bytes()].concat())
        .collect()
}

fn token(text: &str) {
    if let Ok(token) = Token::parse(text) {
        let written = token.to_string();
        let again = Token::parse(&written).expect("a token that was written reads");
        assert_eq!(again.to_string(), written);
        assert!(
            !format!("{token:?}").contains(&written),
            "a token shows its secret"
        );
    }
}

fn reference(text: &str) {
    if let Ok(reference) = text.parse::<Reference>() {
        assert_eq!(reference.to_string().parse(), Ok(reference));
    }
}

fn moments(text: &str) {
    if let Ok(instant) = time::parse_instant(text) {
        let written = time::rfc3339(instant);
        let again = time::parse_instant(&written);
        assert_eq!(
            again.map(|again| again.utc_ms / 1_000),
            Ok(instant.utc_ms.div_euclid(1_000)),
            "{written}"
        );
        let shown = [time::local_clock(instant), time::local_day(instant)].concat();
        assert!(!shown.is_empty());
    }
    if let Ok(days) = time::parse_day(text) {
        assert_eq!(time::parse_day(&time::day(days)), Ok(days));
    }
}

fn places(text: &str) {
    if let Some(place) = grid::parse(text) {
        let mut shown = String::new();
        write!(shown, "{place:?}").expect("a string takes it");
    }
}

fn assignments(text: &str) {
    let lines: Vec<&str> = text.lines().collect();
    for family in schema::FAMILIES {
        let mut fields = MergedFields::new();
        if let Ok(ops) = assign(family, &fields, &lines) {
            fields.apply(&ops);
            // Members are assigned to a group as it was read.
            if let Ok(ops) = assign(family, &fields, &lines) {
                fields.apply(&ops);
            }
        }
    }
}

fn addresses(text: &str) {
    if let Ok(address) = text.parse::<ServerAddress>() {
        assert_eq!(address.to_string().parse(), Ok(address));
    }
}
