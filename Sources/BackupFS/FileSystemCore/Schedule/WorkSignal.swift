import Dispatch
import Synchronization

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

    /// How long work may wait that becomes cheaper with what comes after it.
    private static let patience = DispatchTimeInterval.milliseconds(300)
    /// Somebody is going to be woken.
    private let isWaking = Atomic(false)

    /// Something may be due, and is done with what becomes due in the next moments.
    func wakeSoon() {
        guard !isWaking.exchange(true, ordering: .relaxed) else { return }
        DispatchQueue.global().asyncAfter(deadline: .now() + Self.patience) { [self] in
            isWaking.store(false, ordering: .relaxed)
            wake()
        }
    }

    /// Whether the background is ending.
    var isStopped: Bool { uploads.isStopped }
}
