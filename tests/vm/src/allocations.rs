//! Counts what one thread allocates, from another one.

use std::alloc::{GlobalAlloc, Layout, System};
use std::fs;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering::Relaxed};

struct Counting;

/// The thread that is watched; 0 for none.
static WATCHED: AtomicI32 = AtomicI32::new(0);
static COUNT: AtomicU64 = AtomicU64::new(0);

fn note() {
    let watched = WATCHED.load(Relaxed);
    // SAFETY: gettid has no preconditions.
    if watched != 0 && unsafe { libc::gettid() } == watched {
        COUNT.fetch_add(1, Relaxed);
    }
}

// SAFETY: everything is handed to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note();
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note();
        // SAFETY: the caller's promise.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note();
        // SAFETY: the caller's promise.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How often the thread of this name allocates while `work` runs.
pub fn of_thread(name: &str, work: impl FnOnce()) -> u64 {
    let tasks = fs::read_dir("/proc/self/task").expect("this process has threads");
    let thread = tasks.flatten().find(|task| {
        fs::read_to_string(task.path().join("comm")).is_ok_and(|known| known.trim_end() == name)
    });
    let id = thread.and_then(|task| task.file_name().to_str()?.parse().ok());
    COUNT.store(0, Relaxed);
    WATCHED.store(id.expect("a thread of this name runs"), Relaxed);
    work();
    WATCHED.store(0, Relaxed);
    COUNT.load(Relaxed)
}
