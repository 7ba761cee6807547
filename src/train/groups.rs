//! Tables of groups, by their names: so that nobody need write 120 rows of S5.

/// The most elements of a group: the tokens that there can be.
const MOST: usize = crate::model::MAX_VOCAB;

/// The multiplication table of a group, `table[x][y] = x·y`: `C7` (cyclic, 7 elements), `D7` (dihedral, 14), `S4`, `A5`
/// (symmetric, alternating) or `GL2(3)`. None if it has no such name, or too many elements.
pub(super) fn table(name: &str) -> Option<Vec<Vec<usize>>> {
    if name == "GL2(3)" {
        return Some(by_products(&invertible(3), |x, y| product(3, x, y)));
    }
    let n: usize = name.get(1..)?.parse().ok()?;
    let fits = |elements: usize| (1..=MOST).contains(&elements).then_some(());
    match name.get(..1)? {
        "C" => {
            fits(n)?;
            Some(table_of(n, |x, y| (x + y) % n))
        }
        // r^a s^b is element a + n·b, and s r = r⁻¹ s.
        "D" => {
            fits(n.checked_mul(2)?)?;
            Some(table_of(2 * n, |x, y| {
                let turned = if x < n { y % n } else { n - y % n };
                (x % n + turned) % n + n * ((x / n + y / n) % 2)
            }))
        }
        "S" | "A" => {
            fits((1..=n.min(MOST)).try_fold(1_usize, usize::checked_mul)?)?;
            let mut elements = permutations(n);
            elements.retain(|x| name.starts_with('S') || is_even(x));
            Some(by_products(&elements, |x, y| {
                y.iter().map(|at| x[*at]).collect()
            }))
        }
        _ => None,
    }
}

fn table_of(elements: usize, product: impl Fn(usize, usize) -> usize) -> Vec<Vec<usize>> {
    let row = |x| (0..elements).map(|y| product(x, y)).collect();
    (0..elements).map(row).collect()
}

/// Of elements in ascending order.
fn by_products(
    elements: &[Vec<usize>],
    product: impl Fn(&[usize], &[usize]) -> Vec<usize>,
) -> Vec<Vec<usize>> {
    table_of(elements.len(), |x, y| {
        let found = elements.binary_search(&product(&elements[x], &elements[y]));
        found.expect("a group has the products of its elements")
    })
}

/// All orders of the numbers below n, in ascending order.
fn permutations(n: usize) -> Vec<Vec<usize>> {
    (0..n).fold(vec![vec![]], |shorter, _| {
        let longer = |one: &Vec<usize>| {
            let free = (0..n).filter(|next| !one.contains(next));
            free.map(|next| [&one[..], &[next]].concat())
                .collect::<Vec<_>>()
        };
        shorter.iter().flat_map(longer).collect()
    })
}

fn is_even(permutation: &[usize]) -> bool {
    let inversions = |at: usize| {
        let (here, behind) = (permutation[at], &permutation[at..]);
        behind.iter().filter(|other| **other < here).count()
    };
    (0..permutation.len()).map(inversions).sum::<usize>() % 2 == 0
}

/// The invertible 2×2 matrices modulo a prime, row by row.
fn invertible(p: usize) -> Vec<Vec<usize>> {
    let digits = |number: usize| -> Vec<usize> {
        (0..4)
            .rev()
            .map(|place| number / p.pow(place) % p)
            .collect()
    };
    let matrices = (0..p.pow(4)).map(digits);
    matrices
        .filter(|m| m[0] * m[3] % p != m[1] * m[2] % p)
        .collect()
}

fn product(p: usize, x: &[usize], y: &[usize]) -> Vec<usize> {
    let entry = |row: usize, col: usize| (x[2 * row] * y[col] + x[2 * row + 1] * y[2 + col]) % p;
    vec![entry(0, 0), entry(0, 1), entry(1, 0), entry(1, 1)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_those_of_groups_of_the_right_size() {
        let sizes = [
            ("C13", 13),
            ("D7", 14),
            ("S4", 24),
            ("A4", 12),
            ("S5", 120),
            ("GL2(3)", 48),
        ];
        for (name, size) in sizes {
            let table = table(name).unwrap();
            assert_eq!(table.len(), size, "{name}");
            let one = (0..size)
                .find(|one| (0..size).all(|x| table[*one][x] == x && table[x][*one] == x))
                .unwrap();
            for x in 0..size {
                assert!(table[x].contains(&one), "{name}");
                for y in 0..size {
                    for z in 0..size {
                        assert_eq!(table[table[x][y]][z], table[x][table[y][z]], "{name}");
                    }
                }
            }
        }
        let commutes = |name: &str| {
            let table = table(name).unwrap();
            (0..table.len()).all(|x| (0..x).all(|y| table[x][y] == table[y][x]))
        };
        assert!(commutes("C13") && !commutes("D7") && !commutes("S4") && !commutes("A4"));
        for bad in ["", "C0", "D513", "S7", "S99", "Q8", "ℤ5", "C", "C-1"] {
            assert_eq!(table(bad), None, "{bad}");
        }
    }
}
