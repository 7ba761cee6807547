use gbmi::certificate::{Certificate, Count};
use gbmi::checker::arithmetic::Fixed;
use gbmi::checker::criterion::Level;
use gbmi::checker::meter::Meter;
use gbmi::model::Network;
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let network = Network::load(a[1].as_ref()).unwrap();
    let c = Certificate::parse(&std::fs::read(&a[2]).unwrap(), &network.config).unwrap();
    let meter = Meter::new(u64::MAX);
    let tables = gbmi::checker::tables::<Fixed>(&network, &c, &meter).unwrap();
    for m in 0..tables.d_vocab {
        let mut level = Level::new(&tables, m, &meter);
        for q in 0..=m {
            let (plan, _) = c.criterion.plan(q, m).unwrap();
            let (u, w) = level.uncertified(q, plan, "").unwrap();
            if u != w {
                let kind = match plan.count {
                    Count::Tree => "tree",
                    Count::Script(_) => "script",
                    Count::Grid { .. } => "grid",
                };
                println!(
                    "q {q} m {m} uncertified {u} wrong {w} {kind} groups {} window {} walk {}",
                    plan.groups.len(),
                    plan.window,
                    if let Count::Script(s) = &plan.count { s.walk.len() } else { 0 }
                );
            }
        }
    }
}
