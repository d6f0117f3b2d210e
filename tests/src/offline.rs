//! A notebook enrolled with no server, and folders copied as a backup tool copies them.

use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use beatbook_field::proto::{Code, EnrolmentId, OfficerId, Signer, SigningKey};
use beatbook_field::{Credentials, DeviceKey, EnrolledAs, Notebook, OpenError, Options, Unlock};
use beatbook_quic::{Authority, Validity};

/// Makes a notebook with credentials of a force that lives for this test only.
pub fn enrolled_offline(path: &Path, unlock: &Unlock) -> Notebook {
    enrolled_offline_with(path, unlock, Options::default()).expect("a notebook can be made")
}

/// The same with options, and what the store says where it cannot be made.
pub fn enrolled_offline_with(path: &Path, unlock: &Unlock, options: Options) -> Result<Notebook, OpenError> {
    let now_s = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("a clock after 1970")
        .as_secs();
    let word = |word: &str| Code::new(word).expect("a word");
    let authority = Authority::create("52", Validity::authority(now_s)).expect("a key can be made");
    let enrolment = EnrolmentId::from_bytes([0x51; 16]);
    let key = DeviceKey::generate().expect("a key can be made");
    let request = key.request().expect("a request can be made");
    let certificate = authority
        .issue_device(&request, enrolment.uuid(), Validity::device(now_s))
        .expect("the authority signs");
    let credentials = Credentials {
        told: EnrolledAs {
            enrolment,
            officer: OfficerId::from_bytes([0x52; 16]),
            collar: "9123".to_owned(),
            name: "Sam Pike".to_owned(),
            role: word("PCSO"),
            force: word("52"),
            force_name: "Avon and Somerset".to_owned(),
            server_key: SigningKey::ed25519_from_seed(&[0x53; 32]).public_key(),
            beats: vec![word("52/C02")],
        },
        key,
        chain: vec![certificate],
        authority: authority.certificate().to_vec(),
        server: "127.0.0.1:1".parse().expect("an address"),
    };
    Notebook::create(path, unlock, options, &credentials)
}

/// Copies a folder and all below it.
pub fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder can be made");
    for entry in fs::read_dir(from).expect("the folder is there") {
        let entry = entry.expect("the folder can be read");
        let target = to.join(entry.file_name());
        let kind = entry.file_type().expect("it has a type");
        if kind.is_dir() {
            copy_folder(&entry.path(), &target);
        } else if kind.is_file() {
            fs::copy(entry.path(), &target).expect("a file can be copied");
        }
    }
}
