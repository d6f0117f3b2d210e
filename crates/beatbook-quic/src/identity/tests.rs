//! Keys and certificates: what they say, what they never say, and what is refused.

use p256::elliptic_curve::sec1::ToEncodedPoint;
use p256::pkcs8::DecodePrivateKey;
use rcgen::string::Ia5String;
use rcgen::{CertificateParams, DnType, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, SanType};
use uuid::Uuid;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::*;
use crate::fixtures::{Force, now_s};

const ENROLMENT: Uuid = Uuid::from_u128(0x0192_0000_0000_7000_8000_0000_0000_0007);

#[test]
fn device_certificate_names_its_enrolment_and_nothing_else() {
    let force = Force::new();
    let key = DeviceKey::generate().unwrap();
    let validity = Validity::device(now_s());
    let der = force
        .authority
        .issue_device(&key.request().unwrap(), ENROLMENT, validity)
        .unwrap();

    let peer = PeerIdentity::from_certificate(&der).unwrap();
    assert_eq!(peer.enrolment, ENROLMENT);
    assert_eq!(peer.public_key, key.public_key());
    assert_eq!(peer.not_after_s, validity.not_after_s);
    assert_eq!(not_before_s(&der).unwrap(), validity.not_before_s);

    let (_, certificate) = X509Certificate::from_der(&der).unwrap();
    assert_eq!(certificate.subject().iter().count(), 0);
    let names = certificate.subject_alternative_name().unwrap().unwrap();
    assert_eq!(names.value.general_names.len(), 1);
    let usage = certificate.extended_key_usage().unwrap().unwrap().value;
    assert!(usage.client_auth && !usage.server_auth && !usage.any);
    assert!(!certificate.is_ca());
}

#[test]
fn server_certificate_is_for_servers_only() {
    let force = Force::new();
    let (_, certificate) = X509Certificate::from_der(force.server.certificate()).unwrap();
    let usage = certificate.extended_key_usage().unwrap().unwrap().value;
    assert!(usage.server_auth && !usage.client_auth && !usage.any);
    assert!(!certificate.is_ca());
    assert_eq!(certificate.subject().iter().count(), 0);
}

/// Whatever a request asks for, names included, the certificate says only what the authority says.
#[test]
fn names_in_a_request_do_not_reach_the_certificate() {
    let force = Force::new();
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, "Priya Example");
    params.subject_alt_names.push(SanType::Rfc822Name(
        Ia5String::try_from("priya@force.example").unwrap(),
    ));
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let request = params.serialize_request(&key).unwrap();
    assert!(contains(request.der(), b"Priya") && contains(request.der(), b"priya@force.example"));

    let der = force
        .authority
        .issue_device(request.der(), ENROLMENT, Validity::device(now_s()))
        .unwrap();
    for name in [&b"Priya"[..], b"priya", b"Example", b"example"] {
        assert!(!contains(&der, name), "{name:?} is in the certificate");
    }
    assert!(!X509Certificate::from_der(&der).unwrap().1.is_ca());
}

#[test]
fn a_request_of_ours_names_nobody() {
    let request = DeviceKey::generate().unwrap().request().unwrap();
    let parsed = x509_parser::certification_request::X509CertificationRequest::from_der(&request)
        .unwrap()
        .1;
    assert_eq!(parsed.certification_request_info.subject.iter().count(), 0);
    assert!(parsed.requested_extensions().is_none());
}

/// Proof of possession: no byte of what the key has signed can be changed, and nothing around it changes
/// whose key it is.
#[test]
fn a_changed_request_is_refused() {
    let request = DeviceKey::generate().unwrap().request().unwrap();
    let key = requested_key(&request).unwrap();
    let (_, parsed) =
        x509_parser::certification_request::X509CertificationRequest::from_der(&request).unwrap();
    let signed = parsed.certification_request_info.raw.len();
    let start = request
        .windows(signed)
        .position(|at| at == parsed.certification_request_info.raw)
        .unwrap();
    assert!(signed > DevicePublicKey::BYTES);
    for at in 0..request.len() {
        for bit in 0..8 {
            let mut changed = request.clone();
            changed[at] ^= 1 << bit;
            match requested_key(&changed) {
                Ok(read) => assert!(read == key && !(start..start + signed).contains(&at), "byte {at}"),
                Err(error) => assert_eq!(error, IdentityError::RequestMalformed),
            }
        }
    }
    for length in 0..request.len() {
        assert!(requested_key(&request[..length]).is_err(), "{length} bytes");
    }
}

#[test]
fn a_request_for_a_key_of_another_curve_is_refused() {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap();
    let request = CertificateParams::default().serialize_request(&key).unwrap();
    assert_eq!(requested_key(request.der()), Err(IdentityError::RequestMalformed));
}

#[test]
fn renewal_has_another_serial_number() {
    let force = Force::new();
    let request = DeviceKey::generate().unwrap().request().unwrap();
    let issue = || {
        force
            .authority
            .issue_device(&request, ENROLMENT, Validity::device(now_s()))
            .unwrap()
    };
    let (first, second) = (issue(), issue());
    let serial = |der: &[u8]| X509Certificate::from_der(der).unwrap().1.raw_serial().to_vec();
    assert_ne!(serial(&first), serial(&second));
}

#[test]
fn authority_is_the_same_after_a_round_trip_through_pem() {
    let force = Force::new();
    let read = Authority::from_pem(&force.authority.to_pem()).unwrap();
    assert_eq!(read.fingerprint(), force.authority.fingerprint());
    assert_eq!(read.certificate_pem(), force.authority.certificate_pem());
    assert!(!read.certificate_pem().contains("PRIVATE"));

    // What the one issues, the other's certificate verifies.
    let key = DeviceKey::generate().unwrap();
    let der = read
        .issue_device(&key.request().unwrap(), ENROLMENT, Validity::device(now_s()))
        .unwrap();
    let (_, issued) = X509Certificate::from_der(&der).unwrap();
    let (_, authority) = X509Certificate::from_der(force.authority.certificate()).unwrap();
    assert!(issued.verify_signature(Some(authority.public_key())).is_ok());
    assert_eq!(issued.issuer(), authority.subject());
}

#[test]
fn a_pem_that_is_not_an_authority_is_refused() {
    let (one, other) = (Force::new().authority, Force::new().authority);
    let of = |pem: &str| Authority::from_pem(pem).map(|_| ());
    assert_eq!(of(""), Err(IdentityError::CertificateMalformed));
    assert_eq!(of(one.certificate_pem()), Err(IdentityError::KeyMalformed));
    let key_of_other = other.to_pem()[other.certificate_pem().len()..].to_owned();
    let mixed = format!("{}{key_of_other}", one.certificate_pem());
    assert_eq!(of(&mixed), Err(IdentityError::KeyMismatch));
}

#[test]
fn server_identity_is_the_same_after_a_round_trip() {
    let force = Force::new();
    let Force { authority, server } = &force;
    let read = ServerIdentity::from_der(server.certificate(), server.key(), server.authority()).unwrap();
    assert_eq!(read.chain, server.chain);
    assert_eq!(*read.key, *server.key);
    let other = authority.issue_server(&[], Validity::server(now_s())).unwrap();
    let mixed = ServerIdentity::from_der(server.certificate(), other.key(), server.authority());
    assert_eq!(mixed.map(|_| ()), Err(IdentityError::KeyMismatch));
}

#[test]
fn a_certificate_needs_its_own_key() {
    let force = Force::new();
    let key = DeviceKey::generate().unwrap();
    let der = force
        .authority
        .issue_device(&key.request().unwrap(), ENROLMENT, Validity::device(now_s()))
        .unwrap();
    let authority = force.authority.certificate().to_vec();
    let other = ClientIdentity::new(
        DeviceKey::generate().unwrap(),
        vec![der.clone()],
        authority.clone(),
    );
    assert_eq!(other.map(|_| ()), Err(IdentityError::KeyMismatch));
    let key = DeviceKey::from_pkcs8(&key.to_pkcs8()).unwrap();
    let none = ClientIdentity::new(key, vec![], authority);
    assert_eq!(none.map(|_| ()), Err(IdentityError::CertificateMissing));
}

/// Shells sign seals with the same key by another library.
#[test]
fn a_key_reads_the_same_elsewhere() {
    let key = DeviceKey::generate().unwrap();
    let elsewhere = p256::SecretKey::from_pkcs8_der(&key.to_pkcs8()).unwrap();
    let point = elsewhere.public_key().to_encoded_point(false);
    assert_eq!(point.as_bytes(), key.public_key().as_sec1());
    let point = elsewhere.public_key().to_encoded_point(true);
    assert_eq!(point.as_bytes(), key.public_key().to_compressed());
    assert_eq!(
        DeviceKey::from_pkcs8(&key.to_pkcs8()).unwrap().public_key(),
        key.public_key()
    );
}

#[test]
fn damaged_keys_and_certificates_are_refused() {
    let der = DeviceKey::generate().unwrap().to_pkcs8();
    assert_eq!(
        DeviceKey::from_pkcs8(&der[..der.len() - 1]).map(|_| ()),
        Err(IdentityError::KeyMalformed)
    );
    assert_eq!(
        DeviceKey::from_pkcs8(&[]).map(|_| ()),
        Err(IdentityError::KeyMalformed)
    );
    let force = Force::new();
    let mut longer = force.server.certificate().to_vec();
    longer.push(0);
    assert_eq!(
        peer::check_certificate(&longer),
        Err(IdentityError::CertificateMalformed)
    );
    let server = PeerIdentity::from_certificate(force.server.certificate());
    assert_eq!(server, Err(IdentityError::EnrolmentMissing));
}

#[test]
fn impossible_times_are_refused() {
    let create = |not_before_s, not_after_s| {
        Authority::create(
            "52",
            Validity {
                not_before_s,
                not_after_s,
            },
        )
        .map(|_| ())
    };
    assert_eq!(create(2, 1), Err(IdentityError::Validity));
    assert_eq!(create(1, 1), Err(IdentityError::Validity));
    assert_eq!(create(0, 253_402_300_800), Err(IdentityError::Validity));
    assert_eq!(create(u64::MAX, u64::MAX), Err(IdentityError::Validity));
    assert_eq!(create(0, 253_402_300_799), Ok(()));
}

#[test]
fn server_names_are_checked() {
    let authority = Force::new().authority;
    let issue = |name: &str| {
        authority
            .issue_server(&[name], Validity::server(now_s()))
            .map(|_| ())
    };
    for good in ["beatbook.force.example", "10.1.2.3", "fd00::1", "a"] {
        assert_eq!(issue(good), Ok(()), "{good}");
    }
    for bad in ["", "a..b", "-a", "a b", "caf\u{e9}.example", "a_b"] {
        assert_eq!(issue(bad), Err(IdentityError::NameMalformed), "{bad}");
    }
}

#[test]
fn fingerprint_is_sha_256() {
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(Fingerprint::of(b"").to_string(), empty);
    assert_eq!(format!("{:?}", Fingerprint::of(b"").pin()), empty[..32]);
}

#[test]
fn debug_shows_no_key() {
    let force = Force::new();
    let key = DeviceKey::generate().unwrap();
    let secret = format!("{:?}", &key.to_pkcs8()[..]);
    assert!(!format!("{key:?}").contains(&secret[1..20]));
    assert_eq!(format!("{:?}", force.server), "ServerIdentity { .. }");
    assert!(!format!("{:?}", force.authority).contains("PRIVATE"));
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}
