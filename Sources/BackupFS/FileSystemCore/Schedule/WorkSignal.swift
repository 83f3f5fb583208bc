/// Who is woken when the catalogue has something that is due.
final class WorkSignal: Sendable {
    /// The task that uploads, and does what else a resource needs.
    let uploads = Pacemaker()
    /// The task that removes objects.
    let removals = Pacemaker()

    /// Something may be due.
    func wake() {
        uploads.wake()
        removals.wake()
    }

    /// Whether the background is ending.
    var isStopped: Bool { uploads.isStopped }
}
