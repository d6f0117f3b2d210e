//! Ordnance Survey grid references: parsing, and deriving one from a WGS84 position.
//!
//! The transform is the published seven-parameter Helmert transform from WGS84 to OSGB36, then the
//! transverse Mercator projection of the National Grid: right to about 5 m. Not OSTN15.

use beatbook_proto::Point;

/// Eastings and northings on the National Grid, in metres.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GridPoint {
    /// Metres east of the false origin, 0 to 700,000.
    pub easting_m: u32,
    /// Metres north of the false origin, 0 to 1,300,000.
    pub northing_m: u32,
}

/// Reads a grid reference: two letters and an even number of digits, 2 to 10, blanks where you like.
///
/// The point is the south-west corner of the square that the reference names.
pub fn parse(text: &str) -> Option<GridPoint> {
    let mut plain = text.chars().filter(|character| *character != ' ');
    let (first, second) = (letter(plain.next()?)?, letter(plain.next()?)?);
    let digits: Vec<u32> = plain
        .map(|character| character.to_digit(10))
        .collect::<Option<_>>()?;
    if digits.is_empty() || digits.len() > 10 || digits.len() % 2 == 1 {
        return None;
    }
    // The first letter names a square of 500 km, counted from square S; the second one of 100 km in it.
    let east_100_km = (i64::from(first % 5) - 2) * 5 + i64::from(second % 5);
    let north_100_km = (3 - i64::from(first / 5)) * 5 + 4 - i64::from(second / 5);
    let (east, north) = digits.split_at(digits.len() / 2);
    let metres = |digits: &[u32]| {
        let number = digits.iter().fold(0, |number, digit| number * 10 + digit);
        i64::from(number) * 10_i64.pow(5 - u32::try_from(digits.len()).unwrap_or(5))
    };
    let easting = east_100_km * 100_000 + metres(east);
    let northing = north_100_km * 100_000 + metres(north);
    inside(easting, northing)
}

/// Derives the grid point of a WGS84 position; `None` outside the National Grid.
pub fn from_point(point: Point) -> Option<GridPoint> {
    let (lat, lon) = to_osgb36(
        (f64::from(point.lat_e7) / 1e7).to_radians(),
        (f64::from(point.lon_e7) / 1e7).to_radians(),
    );
    let (easting, northing) = project(lat, lon);
    if !easting.is_finite() || !northing.is_finite() {
        return None;
    }
    inside(easting.floor() as i64, northing.floor() as i64)
}

/// Whether a position lies in the window of the United Kingdom: 49.8 to 60.9 north, 8.7 west to 1.8 east.
pub fn in_uk(point: Point) -> bool {
    (498_000_000..=609_000_000).contains(&point.lat_e7) && (-87_000_000..=18_000_000).contains(&point.lon_e7)
}

impl std::fmt::Display for GridPoint {
    /// Writes the reference to the metre: `ST 58723 72994`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (east, north) = (self.easting_m / 100_000, self.northing_m / 100_000);
        let first = (3 - (north / 5).min(3)) * 5 + east / 5 + 2;
        let second = (4 - north % 5) * 5 + east % 5;
        write!(
            f,
            "{}{} {:05} {:05}",
            letter_at(first),
            letter_at(second),
            self.easting_m % 100_000,
            self.northing_m % 100_000
        )
    }
}

fn inside(easting: i64, northing: i64) -> Option<GridPoint> {
    let fits = (0..700_000).contains(&easting) && (0..1_300_000).contains(&northing);
    fits.then_some(GridPoint {
        easting_m: u32::try_from(easting).ok()?,
        northing_m: u32::try_from(northing).ok()?,
    })
}

/// The place of a grid letter: A to Z without I.
fn letter(character: char) -> Option<u32> {
    match character {
        'A'..='H' => Some(u32::from(character) - u32::from('A')),
        'J'..='Z' => Some(u32::from(character) - u32::from('A') - 1),
        _ => None,
    }
}

fn letter_at(place: u32) -> char {
    let code = u32::from('A') + place + u32::from(place >= 8);
    char::from_u32(code).unwrap_or('?')
}

/// Moves a position (radians) from WGS84 to OSGB36, at height 0.
fn to_osgb36(lat: f64, lon: f64) -> (f64, f64) {
    let (x, y, z) = cartesian(lat, lon);
    let (rx, ry, rz) = (
        (-0.1502_f64 / 3600.0).to_radians(),
        (-0.2470_f64 / 3600.0).to_radians(),
        (-0.8421_f64 / 3600.0).to_radians(),
    );
    let scale = 1.0 + 20.4894e-6;
    let moved = (
        -446.448 + scale * x - rz * y + ry * z,
        125.157 + rz * x + scale * y - rx * z,
        -542.060 - ry * x + rx * y + scale * z,
    );
    geodetic(moved)
}

fn cartesian(lat: f64, lon: f64) -> (f64, f64, f64) {
    let e2 = 1.0 - (WGS84_B * WGS84_B) / (WGS84_A * WGS84_A);
    let nu = WGS84_A / (1.0 - e2 * lat.sin().powi(2)).sqrt();
    (
        nu * lat.cos() * lon.cos(),
        nu * lat.cos() * lon.sin(),
        (1.0 - e2) * nu * lat.sin(),
    )
}

fn geodetic((x, y, z): (f64, f64, f64)) -> (f64, f64) {
    let e2 = 1.0 - (AIRY_B * AIRY_B) / (AIRY_A * AIRY_A);
    let p = x.hypot(y);
    let mut lat = z.atan2(p * (1.0 - e2));
    // The iteration gains three digits a round; ten are far past the millimetre.
    for _ in 0..10 {
        let nu = AIRY_A / (1.0 - e2 * lat.sin().powi(2)).sqrt();
        lat = (z + e2 * nu * lat.sin()).atan2(p);
    }
    (lat, y.atan2(x))
}

/// Projects an OSGB36 position (radians) on the National Grid, in metres.
fn project(lat: f64, lon: f64) -> (f64, f64) {
    let (lat0, lon0) = (49.0_f64.to_radians(), (-2.0_f64).to_radians());
    let e2 = 1.0 - (AIRY_B * AIRY_B) / (AIRY_A * AIRY_A);
    let (sin, cos, tan2) = (lat.sin(), lat.cos(), lat.tan().powi(2));
    let nu = AIRY_A * SCALE * (1.0 - e2 * sin * sin).powf(-0.5);
    let rho = AIRY_A * SCALE * (1.0 - e2) * (1.0 - e2 * sin * sin).powf(-1.5);
    let eta2 = nu / rho - 1.0;
    let first = meridian(lat, lat0) - 100_000.0;
    let second = nu / 2.0 * sin * cos;
    let third = nu / 24.0 * sin * cos.powi(3) * (5.0 - tan2 + 9.0 * eta2);
    let third_a = nu / 720.0 * sin * cos.powi(5) * (61.0 - 58.0 * tan2 + tan2 * tan2);
    let fourth = nu * cos;
    let fifth = nu / 6.0 * cos.powi(3) * (nu / rho - tan2);
    let sixth =
        nu / 120.0 * cos.powi(5) * (5.0 - 18.0 * tan2 + tan2 * tan2 + 14.0 * eta2 - 58.0 * tan2 * eta2);
    let east = lon - lon0;
    (
        400_000.0 + fourth * east + fifth * east.powi(3) + sixth * east.powi(5),
        first + second * east.powi(2) + third * east.powi(4) + third_a * east.powi(6),
    )
}

fn meridian(lat: f64, lat0: f64) -> f64 {
    let n = (AIRY_A - AIRY_B) / (AIRY_A + AIRY_B);
    let (less, more) = (lat - lat0, lat + lat0);
    let (n2, n3) = (n * n, n * n * n);
    AIRY_B
        * SCALE
        * ((1.0 + n + 1.25 * n2 + 1.25 * n3) * less
            - (3.0 * n + 3.0 * n2 + 2.625 * n3) * less.sin() * more.cos()
            + (1.875 * n2 + 1.875 * n3) * (2.0 * less).sin() * (2.0 * more).cos()
            - 35.0 / 24.0 * n3 * (3.0 * less).sin() * (3.0 * more).cos())
}

const WGS84_A: f64 = 6_378_137.0;
const WGS84_B: f64 = 6_356_752.314_245;
const AIRY_A: f64 = 6_377_563.396;
const AIRY_B: f64 = 6_356_256.909;
const SCALE: f64 = 0.999_601_271_7;

#[cfg(test)]
mod tests;
