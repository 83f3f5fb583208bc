// Whose close of an open file waits for backup storage. Every fork copies descriptors, and every exec and exit closes them: the
// kernel asks with each whether all is well. To a process that neither opened the file nor wrote through this open nothing was
// promised; it must not wait, and what the others are still writing must not be sent because it ends.

/// The processes that use one open of a file; numbers are the kernel's.
struct HandleUsers: Sendable {
    /// What a thread is known to belong to.
    private var processes: Set<Int32> = []
    /// Threads that were looked at already.
    private var threads: Set<Int32> = []
    /// Somebody used it of whom nobody knows who he is: whoever closes it may be he.
    private var isAnybody = false

    /// A thread opens the file, or changes it through this open; `process` says which process it is one of.
    mutating func uses(_ thread: Int32, process: (Int32) -> Int32?) {
        guard threads.insert(thread).inserted else { return }
        guard let process = process(thread) else {
            isAnybody = true
            return
        }
        processes.insert(process)
    }

    /// The file is changed through a mapping: nobody tells by whom.
    mutating func mayBeAnybody() { isAnybody = true }

    /// Whether a thread's close has nothing to answer for.
    ///
    /// A thread whose process is not known is a user: it waits.
    func isBystander(_ thread: Int32, process: (Int32) -> Int32?) -> Bool {
        guard !isAnybody, !threads.contains(thread), let process = process(thread) else { return false }
        return !processes.contains(process)
    }
}
