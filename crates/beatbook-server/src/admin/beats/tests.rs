//! Files of beats: what is read, and that a mistake is told with its line.

use super::*;

fn read(text: &str) -> Result<Vec<NewBeat>, BeatFileError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("beats.csv");
    std::fs::write(&path, text).unwrap();
    std::fs::write(
        folder.path().join("c02.geojson"),
        r#"{"type":"Feature","geometry":{"type":"Polygon","coordinates":[[[0,0],[0,1],[1,1],[0,0]]]}}"#,
    )
    .unwrap();
    std::fs::write(
        folder.path().join("point.geojson"),
        r#"{"type":"Point","coordinates":[0,0]}"#,
    )
    .unwrap();
    read_beats(&path)
}

#[test]
fn columns_come_in_any_order_and_boundaries_from_files() {
    let beats = read(
        "\u{feff}name,id,geojson_file,neighbourhood\r\n\"Stokes Croft, north\", C02 ,c02.geojson,Ashley\r\n\r\nMontpelier,52/C03,,Ashley\r\n",
    )
    .unwrap();
    assert_eq!(beats.len(), 2);
    assert_eq!(
        (beats[0].id.as_str(), beats[0].name.as_str()),
        ("C02", "Stokes Croft, north")
    );
    assert!(beats[0].boundary.contains("Polygon"));
    assert_eq!(beats[1], NewBeat::new("52/C03", "Montpelier", "Ashley"));
}

#[test]
fn a_mistake_is_told_with_its_line() {
    let head = "id,name,neighbourhood,geojson_file\n";
    let cases = [
        (
            "C02,Stokes Croft,Ashley\n,Montpelier,Ashley\n",
            "line 3: id is empty",
        ),
        ("C02,Stokes Croft,\n", "line 2: neighbourhood is empty"),
        ("C02\n", "line 2: name is empty"),
        (
            "not a beat,Stokes Croft,Ashley\n",
            "line 2: not a beat is not a beat id",
        ),
        (
            "C02,A,B\nC03,A,B\n52/C02,C,D\n",
            "line 4: beat 52/C02 was in line 2",
        ),
        ("C02,A,B,point.geojson\n", "line 2: "),
        ("C02,A,B,none.geojson\n", "none.geojson"),
    ];
    for (rows, told) in cases {
        let error = read(&format!("{head}{rows}")).unwrap_err().to_string();
        assert!(error.contains(told), "{rows:?}: {error}");
    }
    let error = read("id,name\nC02,Stokes Croft\n").unwrap_err().to_string();
    assert!(error.contains("column neighbourhood"), "{error}");
}

#[test]
fn a_file_that_is_not_there_or_not_text_is_told() {
    assert!(matches!(
        read_beats(Path::new("/nowhere/beats.csv")),
        Err(BeatFileError::Read { .. })
    ));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("beats.csv");
    std::fs::write(&path, b"id,name,neighbourhood\nC02,\xff\xfe,Ashley\n").unwrap();
    let error = read_beats(&path).unwrap_err().to_string();
    assert!(error.contains("line 2") && error.contains("UTF-8"), "{error}");
}
