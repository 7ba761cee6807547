#[path = "../benches/float32.rs"]
mod float32;
fn main() {
    for a in std::env::args().skip(1) {
        let n = gbmi::model::Network::load(a.as_ref()).unwrap();
        let t = std::time::Instant::now();
        println!("{} {:?}", float32::brute_force(&n, 2), t.elapsed());
    }
}
