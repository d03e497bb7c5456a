//! A double-array trie of all tokens: the longest token that a text begins with, one load a byte.
//!
//! The slots are given out in lexicographic order, so the tokens of one script lie close together
//! and a text touches little memory.

use super::vocabulary::{Source, Token};

/// The nodes of the trie; one for each prefix of a token. The child of a node for a byte is at the
/// node's base XOR the byte, if the slot there names the node as its parent. The children of the
/// root are the first 256 slots.
pub(super) struct Trie {
    /// From the lowest bits up: 20 of the base, 20 of the parent's place, then the token plus one,
    /// or 0 where the prefix is no token.
    slots: Vec<u64>,
}

const PLACE_BITS: u32 = 20;
const BASE_MASK: u64 = (1 << PLACE_BITS) - 1;
const PARENT_MASK: u64 = BASE_MASK << PLACE_BITS;
/// The parent of a free slot, and of the children of the root.
const NO_PARENT: u64 = PARENT_MASK;
const TOKEN_SHIFT: u32 = 2 * PLACE_BITS;

impl Trie {
    /// The longest token that the text begins with.
    #[inline(always)]
    pub(super) fn longest_token(&self, text: &[u8]) -> Option<Token> {
        let (&first, rest) = text.split_first()?;
        let mut place = usize::from(first);
        let mut slot = self.slot(place);
        let mut longest = slot;
        for &byte in rest {
            let next = (slot & BASE_MASK) as usize ^ usize::from(byte);
            slot = self.slot(next);
            if slot & PARENT_MASK != (place as u64) << PLACE_BITS {
                break;
            }
            place = next;
            longest = if slot >> TOKEN_SHIFT == 0 { longest } else { slot };
        }
        ((longest >> TOKEN_SHIFT) as Token).checked_sub(1)
    }

    #[inline(always)]
    fn slot(&self, place: usize) -> u64 {
        self.slots.get(place).copied().unwrap_or(NO_PARENT)
    }

    /// Places the nodes one after the other, each with its children, as the source lists them.
    #[expect(clippy::indexing_slicing, reason = "nodes and places come from the same lists")]
    pub(super) fn new(source: &Source<'_>) -> Self {
        let family = Family::of(source.depths);
        let mut builder = Builder::new();
        let mut places: Vec<usize> = source.labels.iter().map(|&label| usize::from(label)).collect();
        let mut children = Vec::new();
        let mut tokens = 0;
        for (node, &left_len) in source.left_lens.iter().enumerate() {
            children.clear();
            children.extend(family.children(node).map(|child| (child, usize::from(source.labels[child]))));
            let base = builder.base_for(&children);
            for &(child, label) in &children {
                places[child] = base ^ label;
                builder.slots[base ^ label] = (places[node] as u64) << PLACE_BITS;
            }
            builder.slots[places[node]] |= base as u64;
            if left_len > 0 {
                tokens += 1;
                builder.slots[places[node]] |= tokens << TOKEN_SHIFT;
            }
        }
        Self { slots: builder.slots }
    }
}

/// Which nodes are whose children, in a list that has each node before its children.
struct Family {
    first_child: Vec<u32>,
    next_sibling: Vec<u32>,
}

const NOBODY: u32 = u32::MAX;

impl Family {
    #[expect(clippy::indexing_slicing, reason = "a depth is a byte, and nodes come from the list itself")]
    fn of(depths: &[u8]) -> Self {
        let mut family = Self { first_child: vec![NOBODY; depths.len()], next_sibling: vec![NOBODY; depths.len()] };
        let mut last_at = [NOBODY; 256];
        let mut depth_before = 0;
        for (node, depth) in (0u32..).zip(depths.iter().map(|&depth| usize::from(depth))) {
            if node > 0 && depth == depth_before + 1 {
                family.first_child[node as usize - 1] = node;
            } else if last_at[depth] != NOBODY {
                family.next_sibling[last_at[depth] as usize] = node;
            }
            last_at[depth] = node;
            depth_before = depth;
        }
        family
    }

    fn children(&self, node: usize) -> impl Iterator<Item = usize> + '_ {
        let in_list = |list: &[u32], node: usize| {
            let found = list.get(node).copied().unwrap_or(NOBODY);
            (found != NOBODY).then_some(found as usize)
        };
        std::iter::successors(in_list(&self.first_child, node), move |&child| in_list(&self.next_sibling, child))
    }
}

/// Gives out slots.
struct Builder {
    slots: Vec<u64>,
    /// One bit for each slot that is given out.
    used: Vec<u64>,
    /// All slots from here on are free.
    top: usize,
}

const ROOT_SLOTS: usize = 256;
/// How far below the top free slots are still looked for.
const WINDOW: usize = 512;

impl Builder {
    fn new() -> Self {
        Self { slots: vec![NO_PARENT; ROOT_SLOTS], used: vec![u64::MAX; ROOT_SLOTS / 64], top: ROOT_SLOTS }
    }

    /// A base with a free slot for each child, given as node and label; takes those slots.
    fn base_for(&mut self, children: &[(usize, usize)]) -> usize {
        let Some((&(_, first), others)) = children.split_first() else { return 0 };
        let mut candidate = self.free_from(ROOT_SLOTS.max(self.top.saturating_sub(WINDOW)));
        while !others.iter().all(|&(_, label)| self.is_free(candidate ^ first ^ label)) {
            candidate = self.free_from(candidate + 1);
        }
        for &(_, label) in children {
            self.take(candidate ^ first ^ label);
        }
        candidate ^ first
    }

    /// The first free slot from one on.
    fn free_from(&self, slot: usize) -> usize {
        let free_in = |word: usize| !self.used.get(word).copied().unwrap_or(0);
        let mut word = slot / 64;
        let mut free = free_in(word) & u64::MAX << (slot % 64);
        while free == 0 {
            word += 1;
            free = free_in(word);
        }
        word * 64 + free.trailing_zeros() as usize
    }

    fn is_free(&self, slot: usize) -> bool {
        self.used.get(slot / 64).is_none_or(|word| word >> (slot % 64) & 1 == 0)
    }

    fn take(&mut self, slot: usize) {
        self.top = self.top.max(slot + 1);
        if self.used.len() <= slot / 64 {
            self.used.resize(slot / 64 + 1, 0);
            self.slots.resize(self.used.len() * 64, NO_PARENT);
        }
        if let Some(word) = self.used.get_mut(slot / 64) {
            *word |= 1 << (slot % 64);
        }
    }
}
