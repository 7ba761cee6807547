use gbmi::{checker::*, model::*, search::*};
fn main() {
    let s = std::env::args().nth(1).unwrap();
    let s = *Strategy::ALL.iter().find(|x| x.name() == s).unwrap();
    for a in std::env::args().skip(2) {
        let n = Network::load(a.as_ref()).unwrap();
        let t = std::time::Instant::now();
        let p = prove(&n, s, Options { threads: 2, ..Default::default() }).unwrap();
        let e = t.elapsed();
        let t = std::time::Instant::now();
        let c = gbmi::certificate::Certificate::parse(&p.text, &n.config).unwrap();
        let c = check::<arithmetic::Fixed>(&n, &c, Options { threads: 2, ..Default::default() }).unwrap();
        println!(
            "{a} {} of {} {:.6} flops {} int {:.3e} bytes {} {e:?} check {:?} {:?}",
            p.certified.correct,
            p.certified.total,
            num_traits::ToPrimitive::to_f64(&p.certified.correct).unwrap()
                / num_traits::ToPrimitive::to_f64(&p.certified.total).unwrap(),
            p.certified.meter.flops(),
            p.certified.meter.int_ops() as f64,
            p.text.len(),
            t.elapsed(),
            c.rules
        );
        for (k, n) in meter::Kind::ALL {
            print!("{n} {} ", c.meter.of(k));
        }
        println!();
    }
}
