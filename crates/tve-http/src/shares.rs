//! Something bounded that addresses share: one address may have all of it, and whoever has most
//! makes room when another one asks.
//!
//! *Holder*: one claim on the good, of some amount. *Account*: what one address holds together. Of an
//! IPv6 address the first 64 bits count, as whoever has one has all of its network.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::IpAddr;
use tve_access::account_of;

/// Names a holder; never that of another one, also after it has gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slot {
    index: usize,
    generation: u64,
}

struct Holder<T> {
    generation: u64,
    account: usize,
    amount: usize,
    what: T,
}

#[derive(Clone, Copy)]
struct Account {
    address: IpAddr,
    amount: usize,
    holders: usize,
}

/// Who holds how much.
pub(crate) struct Shares<T> {
    holders: Vec<Option<Holder<T>>>,
    free: Vec<usize>,
    accounts: Vec<Account>,
    free_accounts: Vec<usize>,
    by_address: HashMap<IpAddr, usize>,
    used: usize,
    generation: u64,
}

impl<T> Shares<T> {
    pub(crate) fn new() -> Self {
        Self {
            holders: Vec::new(),
            free: Vec::new(),
            accounts: Vec::new(),
            free_accounts: Vec::new(),
            by_address: HashMap::new(),
            used: 0,
            generation: 0,
        }
    }

    /// What all hold together.
    pub(crate) const fn used(&self) -> usize {
        self.used
    }

    /// What `address` holds.
    pub(crate) fn of(&self, address: IpAddr) -> usize {
        self.by_address.get(&account_of(address)).map_or(0, |&at| self.accounts[at].amount)
    }

    /// Notes that `address` holds `amount` more.
    pub(crate) fn add(&mut self, address: IpAddr, amount: usize, what: T) -> Slot {
        let account = self.book(address, amount);
        self.generation += 1;
        let generation = self.generation;
        let holder = Some(Holder { generation, account, amount, what });
        let index = self.free.pop().unwrap_or_else(|| {
            self.holders.push(None);
            self.holders.len() - 1
        });
        self.holders[index] = holder;
        self.used += amount;
        Slot { index, generation }
    }

    /// Takes a holder out; `None` when it has gone already.
    pub(crate) fn remove(&mut self, slot: Slot) -> Option<T> {
        let place = self.holders.get_mut(slot.index)?;
        let Holder { account, amount, what, .. } =
            place.take_if(|holder| holder.generation == slot.generation)?;
        self.free.push(slot.index);
        self.unbook(account, amount);
        self.used -= amount;
        Some(what)
    }

    /// From now on it is `address` that holds it.
    pub(crate) fn hand_over(&mut self, slot: Slot, address: IpAddr) {
        let of = |holder: &Holder<T>| {
            (holder.generation == slot.generation).then_some((holder.account, holder.amount))
        };
        let place = self.holders.get(slot.index);
        let Some((before, amount)) = place.and_then(Option::as_ref).and_then(of) else {
            return;
        };
        if self.accounts[before].address == account_of(address) {
            return;
        }
        let account = self.book(address, amount);
        self.unbook(before, amount);
        if let Some(Some(holder)) = self.holders.get_mut(slot.index) {
            holder.account = account;
        }
    }

    /// Who makes room: of the address that holds most, the holder with the smallest `age_key`. One
    /// without a key stays.
    pub(crate) fn victim(&self, age_key: impl Fn(&T) -> Option<u64>) -> Option<(Slot, IpAddr)> {
        let candidates = self.holders.iter().enumerate().filter_map(|(index, holder)| {
            let holder = holder.as_ref()?;
            let key = age_key(&holder.what)?;
            let account = &self.accounts[holder.account];
            let slot = Slot { index, generation: holder.generation };
            Some(((Reverse(account.amount), key), (slot, account.address)))
        });
        candidates.min_by_key(|(order, _)| *order).map(|(_, found)| found)
    }

    /// What a holder is; `None` when it has gone.
    pub(crate) fn get_mut(&mut self, slot: Slot) -> Option<&mut T> {
        let holder = self.holders.get_mut(slot.index)?.as_mut()?;
        (holder.generation == slot.generation).then_some(&mut holder.what)
    }

    /// Every holder.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Slot, &T)> {
        self.holders.iter().enumerate().filter_map(|(index, holder)| {
            let holder = holder.as_ref()?;
            Some((Slot { index, generation: holder.generation }, &holder.what))
        })
    }

    fn book(&mut self, address: IpAddr, amount: usize) -> usize {
        let address = account_of(address);
        let at = *self.by_address.entry(address).or_insert_with(|| {
            let account = Account { address, amount: 0, holders: 0 };
            let at = self.free_accounts.pop().unwrap_or_else(|| {
                self.accounts.push(account);
                self.accounts.len() - 1
            });
            self.accounts[at] = account;
            at
        });
        self.accounts[at].amount += amount;
        self.accounts[at].holders += 1;
        at
    }

    fn unbook(&mut self, at: usize, amount: usize) {
        let account = &mut self.accounts[at];
        account.amount -= amount;
        account.holders -= 1;
        if account.holders == 0 {
            self.by_address.remove(&account.address);
            self.free_accounts.push(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// Holders are their own age.
    fn next(shares: &Shares<u64>) -> Option<u64> {
        let (slot, _) = shares.victim(|&age| Some(age))?;
        shares.iter().find(|(found, _)| *found == slot).map(|(_, &age)| age)
    }

    #[test]
    fn the_oldest_of_the_address_that_has_most_makes_room() {
        let mut shares = Shares::new();
        shares.add(at("10.0.0.1"), 1, 1);
        for age in [5, 4, 6] {
            shares.add(at("10.0.0.2"), 1, age);
        }
        assert_eq!(next(&shares), Some(4), "1 is older, and the only one of its address");
        shares.add(at("10.0.0.1"), 5, 9);
        assert_eq!(next(&shares), Some(1), "amounts count, not heads");
    }

    #[test]
    fn where_all_have_the_same_the_oldest_of_all_makes_room_and_who_has_no_age_never() {
        let mut shares = Shares::new();
        for n in 1..=9_u64 {
            shares.add(at(&format!("10.0.0.{n}")), 1, 10 - n);
        }
        assert_eq!(next(&shares), Some(1));
        let (kept, address) = shares.victim(|&age| (age > 3).then_some(age)).unwrap();
        assert_eq!(address, at("10.0.0.6"));
        assert_eq!(shares.remove(kept), Some(4));
        assert_eq!(shares.remove(kept), None, "it has gone");
        assert!(shares.victim(|_| None).is_none());
    }

    #[test]
    fn a_slot_that_is_used_again_is_not_that_of_the_holder_before() {
        let mut shares = Shares::new();
        let first = shares.add(at("10.0.0.1"), 3, 1);
        shares.remove(first);
        let second = shares.add(at("10.0.0.1"), 4, 2);
        assert_eq!((shares.remove(first), shares.used()), (None, 4));
        shares.hand_over(first, at("10.0.0.2"));
        assert_eq!(shares.of(at("10.0.0.1")), 4);
        shares.hand_over(second, at("10.0.0.2"));
        assert_eq!((shares.of(at("10.0.0.1")), shares.of(at("10.0.0.2"))), (0, 4));
    }

    #[test]
    fn a_network_of_ipv6_is_one_address_and_a_mapped_address_is_the_one_it_maps() {
        let mut shares = Shares::new();
        shares.add(at("2001:db8::1"), 1, 1);
        shares.add(at("2001:db8::ffff"), 1, 1);
        shares.add(at("::ffff:10.0.0.1"), 1, 1);
        assert_eq!(shares.of(at("2001:db8::2")), 2);
        assert_eq!(shares.of(at("2001:db8:0:1::2")), 0);
        assert_eq!(shares.of(at("10.0.0.1")), 1);
    }
}
