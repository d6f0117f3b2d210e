//! Signatures against published answers, and what seals and receipts refuse.

use super::*;

/// Property: P-256 signs as RFC 6979 A.2.5 says.
#[test]
fn p256_gives_the_answers_of_rfc_6979() {
    let key = p256();
    let point = hex("0360fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6");
    assert_eq!(key.public_key().bytes.0, point);
    let answers = [
        (
            "sample",
            "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716\
             f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8",
        ),
        (
            "test",
            "f1abb023518351cd71d881567b1ea663ed3efcf6c5132b354f28d3b0b7d38367\
             019f4113742a2b14bd25926b49c649155f267e60d3814b4c0cc84250e46f0083",
        ),
    ];
    for (message, answer) in answers {
        let signature = key.sign(message.as_bytes()).expect("a key in memory signs");
        assert_eq!(signature.bytes.0, hex(answer), "{message}");
        assert_eq!(key.public_key().verify(message.as_bytes(), &signature), Ok(()));
    }
}

/// Property: Ed25519 signs as RFC 8032 7.1 says.
#[test]
fn ed25519_gives_the_answers_of_rfc_8032() {
    let answers = [
        (
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555\
             fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
        ),
        (
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
             085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        ),
    ];
    for (seed, public, message, answer) in answers {
        let seed: [u8; 32] = hex(seed).try_into().expect("32 bytes");
        let key = SigningKey::ed25519_from_seed(&seed);
        assert_eq!(key.public_key().bytes.0, hex(public));
        let signature = key.sign(&hex(message)).expect("a key in memory signs");
        assert_eq!(signature.bytes.0, hex(answer));
        assert_eq!(key.public_key().verify(&hex(message), &signature), Ok(()));
    }
}

/// Property: another message, signature, key, scheme or length does not verify.
#[test]
fn what_is_altered_is_refused() {
    for key in [p256(), ed25519()] {
        let public = key.public_key();
        let signature = key.sign(b"seen").expect("a key in memory signs");
        assert_eq!(public.verify(b"seem", &signature), Err(SignatureError::Signature));
        for bit in 0..signature.bytes.len() * 8 {
            let mut other = signature.clone();
            other.bytes.0[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(
                public.verify(b"seen", &other),
                Err(SignatureError::Signature),
                "bit {bit}"
            );
        }
        for length in [0, 63, 65] {
            let mut other = signature.clone();
            other.bytes.0.resize(length, 0);
            assert_eq!(public.verify(b"seen", &other), Err(SignatureError::Signature));
        }
        for bit in 0..public.bytes.len() * 8 {
            let mut other = public.clone();
            other.bytes.0[bit / 8] ^= 1 << (bit % 8);
            assert!(other.verify(b"seen", &signature).is_err(), "bit {bit}");
        }
    }
    let signature = p256().sign(b"seen").expect("a key in memory signs");
    assert_eq!(
        ed25519().public_key().verify(b"seen", &signature),
        Err(SignatureError::Signature)
    );
}

/// Property: a key has one spelling (R-SIG-3); a point comes in as either and is kept compressed.
#[test]
fn a_p256_key_has_one_spelling() {
    let whole = hex(
        "0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6\
         7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299",
    );
    let kept = PublicKey::p256_from_sec1(&whole).expect("the point of RFC 6979 is a key");
    assert_eq!(kept, p256().public_key());
    let spelled_out = PublicKey {
        algorithm: Algorithm::P256,
        bytes: Bytes(whole),
    };
    let signature = p256().sign(b"seen").expect("a key in memory signs");
    assert_eq!(spelled_out.verify(b"seen", &signature), Err(SignatureError::Key));
    assert_eq!(PublicKey::p256_from_sec1(&[4; 65]), Err(SignatureError::Key));
}

/// Property: a small-order Ed25519 key, under which much verifies, is refused.
#[test]
fn a_small_order_key_is_refused() {
    let identity = PublicKey {
        algorithm: Algorithm::Ed25519,
        bytes: Bytes([&[1][..], &[0; 31]].concat()),
    };
    let forged = Signature {
        algorithm: Algorithm::Ed25519,
        bytes: Bytes([&[1][..], &[0; 63]].concat()),
    };
    assert_eq!(
        identity.verify(b"anything", &forged),
        Err(SignatureError::Signature)
    );
}

// Invariant: a claim that ends at the last counter there is does not run over when it is counted.
#[test]
fn entries_are_counted_without_running_over() {
    let claim = |first, last| SealClaim {
        replica: ReplicaId::from_bytes([1; 16]),
        first,
        last,
        root: Hash::default(),
        previous: SealClaim::NO_SEAL,
    };
    let counted = [
        (1, 1, 1),
        (5, 9, 5),
        (0, 9, 0),
        (9, 5, 0),
        (1, u64::MAX, u64::MAX),
        (u64::MAX, u64::MAX, 1),
    ];
    for (first, last, entries) in counted {
        assert_eq!(claim(first, last).entries(), entries, "{first} to {last}");
    }
}

/// Property: a seal is named by its claim, and no claim is signed in another's place.
#[test]
fn seals_and_receipts_speak_of_themselves_only() {
    let claim = SealClaim {
        replica: ReplicaId::from_bytes([1; 16]),
        first: 1,
        last: 2,
        root: Hash([3; 32]),
        previous: SealClaim::NO_SEAL,
    };
    let by_p256 = claim.clone().sign(&p256()).expect("a key in memory signs");
    let by_ed25519 = claim.sign(&ed25519()).expect("a key in memory signs");
    assert_eq!(by_p256.hash(), by_ed25519.hash());
    assert!(by_p256.verify(&p256().public_key()).is_ok());
    assert!(by_p256.verify(&ed25519().public_key()).is_err());
    let receipt = ReceiptClaim {
        replica: ReplicaId::from_bytes([1; 16]),
        upto: 2,
        seal: by_p256.hash(),
        received_at_ms: 0,
        sequence: 1,
        epoch: EpochId::from_bytes([4; 16]),
    };
    let (claim, signature) = receipt.sign(&ed25519()).expect("a key in memory signs");
    let receipt = Receipt {
        claim,
        signature,
        verdicts: Vec::new().into(),
        secured: 0,
    };
    assert!(receipt.verify(&ed25519().public_key()).is_ok());
    let further = Receipt {
        claim: ReceiptClaim { upto: 3, ..claim },
        ..receipt
    };
    assert!(further.verify(&ed25519().public_key()).is_err());
}

fn p256() -> SigningKey {
    let der = hex(
        "3041020100301306072a8648ce3d020106082a8648ce3d030107042730250201010420\
         c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721",
    );
    SigningKey::p256_from_pkcs8(&der).expect("the key of RFC 6979 reads")
}

fn ed25519() -> SigningKey {
    SigningKey::ed25519_from_seed(&[9; 32])
}

fn hex(digits: &str) -> Vec<u8> {
    let pair = |place| u8::from_str_radix(&digits[place..place + 2], 16).expect("hexadecimal digits");
    (0..digits.len()).step_by(2).map(pair).collect()
}
