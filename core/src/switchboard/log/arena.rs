//! Storage with stable keys, which grows in chunks.

use std::ops::{Index, IndexMut};

use super::chunks::Chunks;

/// No element.
pub(super) const NONE: u32 = u32::MAX;

#[derive(Debug)]
enum Place<T> {
    Taken(T),
    /// The next free place, or [`NONE`].
    Free(u32),
}

/// Elements by key. A key is reused after its element was removed.
#[derive(Debug)]
pub(super) struct Arena<T> {
    places: Chunks<Place<T>>,
    free: u32,
    len: usize,
}

impl<T> Default for Arena<T> {
    fn default() -> Self {
        Self {
            places: Chunks::default(),
            free: NONE,
            len: 0,
        }
    }
}

impl<T> Arena<T> {
    #[cfg(test)]
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) fn insert(&mut self, element: T) -> u32 {
        self.len += 1;
        let key = self.free;
        if let Some(place) = self.places.get_mut(key as usize)
            && let Place::Free(next) = *place
        {
            self.free = next;
            *place = Place::Taken(element);
            return key;
        }
        let key = self.places.len() as u32;
        self.places.push(Place::Taken(element));
        key
    }

    pub(super) fn remove(&mut self, key: u32) -> Option<T> {
        let place = self.places.get_mut(key as usize)?;
        let Place::Taken(_) = place else {
            return None;
        };
        let Place::Taken(element) = std::mem::replace(place, Place::Free(self.free)) else {
            return None;
        };
        self.free = key;
        self.len -= 1;
        if self.len == 0 {
            *self = Self::default();
        }
        Some(element)
    }

    #[inline]
    pub(super) fn get(&self, key: u32) -> Option<&T> {
        match self.places.get(key as usize) {
            Some(Place::Taken(element)) => Some(element),
            _ => None,
        }
    }

    #[inline]
    pub(super) fn get_mut(&mut self, key: u32) -> Option<&mut T> {
        match self.places.get_mut(key as usize) {
            Some(Place::Taken(element)) => Some(element),
            _ => None,
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        let places = self.places.iter().enumerate();
        places.filter_map(|(key, place)| match place {
            Place::Taken(element) => Some((key as u32, element)),
            Place::Free(_) => None,
        })
    }
}

impl<T> Index<u32> for Arena<T> {
    type Output = T;

    #[inline]
    fn index(&self, at: u32) -> &T {
        self.get(at).expect("the element is there")
    }
}

impl<T> IndexMut<u32> for Arena<T> {
    #[inline]
    fn index_mut(&mut self, at: u32) -> &mut T {
        self.get_mut(at).expect("the element is there")
    }
}
