//! Tokens: what is printed is what is read, and what is mistyped is told apart.

use super::*;
use crate::client::ServerAddress;

fn token(address: &str) -> Token {
    Token::new(
        address.parse().unwrap(),
        Pin([0xa5; 16]),
        Secret::from_bytes(std::array::from_fn(|at| at as u8)),
    )
}

fn same(one: &Token, other: &Token) -> bool {
    one.address == other.address && one.pin == other.pin && one.secret.0 == other.secret.0
}

/// The text form is fixed: tokens that were printed must be read by any later build.
#[test]
fn text_form_is_pinned() {
    let text = "BB1-MPJTB-9D5MP-JTB9D-5MPJT-B9D5M-M0020-G30G2-GC1R8-1450P-30D1R-7H008-0FW00-00ERC-0PMG";
    assert_eq!(token("127.0.0.1:4097").to_string(), text);
    assert!(same(&Token::parse(text).unwrap(), &token("127.0.0.1:4097")));
}

#[test]
fn every_kind_of_address_comes_back() {
    for address in [
        "127.0.0.1:1",
        "[::1]:65535",
        "[fd00::12:3]:4433",
        "sync.force.example:4433",
        "a:9",
    ] {
        let token = token(address);
        let read = Token::parse(&token.to_string()).unwrap();
        assert!(same(&read, &token), "{address}");
        assert_eq!(read.address().to_string(), address);
    }
}

#[test]
fn a_host_of_any_length_comes_back() {
    for length in 1..=253_usize {
        let host: String = (0..length)
            .map(|at| {
                if at % 40 == 39 && at + 1 < length {
                    '.'
                } else {
                    'x'
                }
            })
            .collect();
        let token = Token::new(
            ServerAddress::new(&host, 1).unwrap(),
            Pin([1; 16]),
            Secret::from_bytes([2; 16]),
        );
        assert!(
            same(&Token::parse(&token.to_string()).unwrap(), &token),
            "{length}"
        );
    }
}

#[test]
fn typing_habits_are_forgiven() {
    let token = token("127.0.0.1:4433");
    let text = token.to_string();
    let lower = text.to_lowercase();
    let spaced = text.replace('-', " ").replacen("BB1 ", " BB1-", 1);
    let bare = format!("bb1-{}\n", text["BB1-".len()..].replace('-', ""));
    let similar = format!("BB1-{}", text["BB1-".len()..].replace('0', "o").replace('1', "l"));
    for typed in [lower, spaced, bare, similar] {
        assert!(same(&Token::parse(&typed).unwrap(), &token), "{typed}");
    }
}

/// Every single wrong character, and every swap of neighbours, is told.
#[test]
fn single_mistakes_are_noticed() {
    let text = token("127.0.0.1:4433").to_string();
    let mut tried = 0;
    for at in "BB1-".len()..text.len() {
        for symbol in "0123456789ABCDEFGHJKMNPQRSTVWXYZ".chars() {
            let mut typed: Vec<char> = text.chars().collect();
            if typed[at] == '-' || typed[at] == symbol {
                continue;
            }
            typed[at] = symbol;
            let error = Token::parse(&typed.iter().collect::<String>()).unwrap_err();
            assert!(
                matches!(error, TokenError::Checksum | TokenError::Incomplete),
                "{at} {symbol}: {error:?}"
            );
            tried += 1;
        }
        let mut typed: Vec<char> = text.chars().collect();
        if at + 1 < typed.len() && typed[at] != typed[at + 1] && typed[at] != '-' && typed[at + 1] != '-' {
            typed.swap(at, at + 1);
            assert!(
                Token::parse(&typed.iter().collect::<String>()).is_err(),
                "swap at {at}"
            );
        }
    }
    assert!(tried > 2_000, "{tried}");
}

#[test]
fn every_truncation_is_noticed() {
    let text = token("sync.force.example:4433").to_string();
    for length in 0..text.len() {
        assert!(Token::parse(&text[..length]).is_err(), "{length}");
    }
}

#[test]
fn errors_say_what_is_wrong() {
    let text = token("127.0.0.1:4433").to_string();
    let error = |text: &str| Token::parse(text).unwrap_err();
    assert_eq!(error(""), TokenError::NotAToken);
    assert_eq!(error("hello there"), TokenError::NotAToken);
    assert_eq!(error("\u{e9}\u{e9}\u{e9}\u{e9}"), TokenError::NotAToken);
    assert_eq!(error(&text.replacen("BB1-", "BB2-", 1)), TokenError::Version);
    assert_eq!(error("BB1-"), TokenError::Incomplete);
    assert_eq!(error(&text[..20]), TokenError::Incomplete);
    assert_eq!(error(&format!("BB1-{}", "A".repeat(4_000))), TokenError::TooLong);
    assert_eq!(
        error(&format!("BB1-AB!{}", &text[7..])),
        TokenError::Character {
            position: 7,
            found: '!'
        }
    );
    assert_eq!(
        error(&format!("BB1-U{}", &text[5..])),
        TokenError::Character {
            position: 5,
            found: 'U'
        }
    );
    let spelt = error(&format!("BB1-AB!{}", &text[7..])).to_string();
    assert!(spelt.contains("position 7"), "{spelt}");
}

/// A checksum that holds does not make an address good.
#[test]
fn addresses_inside_are_checked() {
    let with = |port: u16, tail: &[u8]| {
        let mut bytes = vec![7; 32];
        bytes.extend_from_slice(&port.to_be_bytes());
        bytes.extend_from_slice(tail);
        let checksum = checksum_of(&bytes);
        bytes.extend_from_slice(&checksum);
        Token::parse(&format!("BB1-{}", base32::encode(&bytes))).map(|_| ())
    };
    assert_eq!(with(1, b"\x01a"), Ok(()));
    assert_eq!(with(0, b"\x01a"), Err(TokenError::Address));
    for tail in [
        &b"\x02a"[..],
        b"\x01ab",
        b"\x00\x7f\x00\x00",
        b"\xff\x00",
        b"\x03a b",
        b"\x01\xff",
        b"\x07127.0.0",
    ] {
        let expected = if tail == b"\x07127.0.0" {
            Ok(())
        } else {
            Err(TokenError::Address)
        };
        assert_eq!(with(1, tail), expected, "{tail:?}");
    }
    assert_eq!(with(1, b"\x09127.0.0.1"), Err(TokenError::Address));
    assert_eq!(with(1, b""), Err(TokenError::Incomplete));
}

#[test]
fn debug_shows_no_secret() {
    let token = token("127.0.0.1:4433");
    let shown = format!("{token:?} {:?}", token.secret());
    assert!(!shown.contains("0, 1, 2") && !shown.contains("000102"), "{shown}");
}

#[test]
fn secrets_differ_and_so_do_their_digests() {
    let (one, other) = (Secret::generate().unwrap(), Secret::generate().unwrap());
    assert_ne!(one.0, other.0);
    assert_ne!(one.digest(), other.digest());
    assert_eq!(one.digest(), Secret::from_bytes(one.0).digest());
}

#[test]
fn base32_is_one_to_one() {
    for length in 0..70_u8 {
        let bytes: Vec<u8> = (0..length)
            .map(|at| at.wrapping_mul(37).wrapping_add(length))
            .collect();
        assert_eq!(base32::decode(&base32::encode(&bytes)), Ok(bytes));
    }
    assert_eq!(base32::encode(b"foobar"), "CSQPYRK1E8");
    // Bits left over must be zero, and no character may be one too many.
    assert_eq!(base32::decode("CSQPYRK1E9"), Err(base32::DecodeError::Length));
    assert_eq!(base32::decode("CSQPYRK1E80"), Err(base32::DecodeError::Length));
}
