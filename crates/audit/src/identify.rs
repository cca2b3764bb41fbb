//! Which of an index's products a component is: exact look-ups, the team's word before the rule.

use aux_advisory::identity::{LookupName, Stance, lookup_names};
use aux_advisory::index::{Block, Damaged, Index};
use aux_advisory::record::{Language, Product};
use aux_advisory::{Cpe, cpe};
use aux_core::naming::fold;
use aux_core::{Component, Ecosystem};

use crate::namesake::generation_ahead;

/// A product that may be the component, and why we think so.
#[derive(Debug, Clone)]
pub(crate) struct Candidate<'a> {
    pub(crate) block: Block<'a>,
    pub(crate) stance: Stance,
    /// A sentence: the team's reason, or the rule that applied.
    pub(crate) reason: String,
    /// The team named this very product: other languages' libraries are meant too.
    pub(crate) is_named: bool,
    /// The inventory or the advisory names this very thing: plugins are meant too.
    pub(crate) is_exact: bool,
    pub(crate) language: Option<Language>,
}

/// Every product a component may be, denied ones included so that they can be explained.
pub(crate) fn candidates<'a>(index: &Index<'a>, component: &Component) -> Result<Vec<Candidate<'a>>, Damaged> {
    let mut found = Vec::new();
    let follows_upstream = component.ecosystem.follows_upstream_versions();
    if let Some(name) = component.cpe.as_deref().and_then(Cpe::read) {
        let product = Product::cpe(name.part, cpe::unescape(name.vendor), cpe::unescape(name.product));
        found.extend(index.product(&product.to_string())?.map(|block| Candidate {
            reason: format!("the inventory names it {product}"),
            block,
            stance: Stance::Affirmed,
            is_named: true,
            is_exact: true,
            language: None,
        }));
        if !found.is_empty() {
            return Ok(found);
        }
    }
    for name in lookup_names(component) {
        found.extend(index.package(&component.ecosystem, &name.folded)?.map(|block| Candidate {
            reason: format!("the advisory names the {} package {}", component.ecosystem, name.folded),
            block,
            stance: Stance::Affirmed,
            is_named: true,
            is_exact: true,
            language: name.language,
        }));
        if follows_upstream {
            found.extend(by_name(index, component, &name)?);
        }
        if !found.is_empty() {
            break;
        }
    }
    Ok(found)
}

fn by_name<'a>(index: &Index<'a>, component: &Component, name: &LookupName) -> Result<Vec<Candidate<'a>>, Damaged> {
    let mut decisions = index.names(&component.ecosystem, &name.folded)?;
    if decisions.is_empty() && shares_names_with_nixpkgs(&component.ecosystem) {
        decisions = index.names(&Ecosystem::NIX, &name.folded)?;
    }
    let mut found: Vec<Candidate<'a>> = Vec::new();
    for decision in decisions.iter().filter(|decision| decision.stance == Stance::Affirmed) {
        let block = match Product::read(decision.product) {
            Some(Product::Package { ecosystem, name }) => index.package(&ecosystem, &fold(&name))?,
            _ => index.product(decision.product)?,
        };
        found.extend(block.map(|block| Candidate {
            block,
            stance: Stance::Affirmed,
            reason: decision.reason.to_owned(),
            is_named: true,
            is_exact: false,
            language: name.language,
        }));
    }
    for block in index.products_named(&name.folded)? {
        if found.iter().any(|candidate| candidate.block.product == block.product) {
            continue;
        }
        let everyone = format!("*:{}", name.folded);
        let denial = decisions
            .iter()
            .filter(|decision| decision.stance == Stance::Denied)
            .find(|decision| decision.product == block.product || decision.product == everyone);
        let (stance, reason) = match denial {
            Some(decision) => (Stance::Denied, decision.reason.to_owned()),
            None => by_rule(&block, name, &component.version)?,
        };
        found.push(Candidate { block, stance, reason, is_named: false, is_exact: false, language: name.language });
    }
    Ok(found)
}

/// Ecosystems that package the same upstream programs under their own names: what the team decided of a name in
/// nixpkgs holds there too, until it decides otherwise. A language's package set has names of its own.
fn shares_names_with_nixpkgs(ecosystem: &Ecosystem) -> bool {
    *ecosystem == Ecosystem::PKGSRC || *ecosystem == Ecosystem::GENERIC
}

/// The rule's stance; a name out of a language's package set is that language's library, not its namesake.
fn by_rule(block: &Block<'_>, name: &LookupName, version: &str) -> Result<(Stance, String), Damaged> {
    let (folded, product) = (&name.folded, &block.product);
    if block.stance != Stance::Affirmed {
        let reason = format!("`{folded}` is claimed by several vendors, {product} among them, and nobody has decided");
        return Ok((Stance::Unreviewed, reason));
    }
    Ok(match generation_ahead(block, version)? {
        Some(first) => (
            Stance::Unreviewed,
            format!(
                "`{folded}` is called {product}, but no advisory of that is about a version below {first}, so that it may \
                 be another program of the same name, and nobody has decided"
            ),
        ),
        None => (Stance::Affirmed, format!("`{folded}` is called {product} and no other vendor is plausible")),
    })
}
