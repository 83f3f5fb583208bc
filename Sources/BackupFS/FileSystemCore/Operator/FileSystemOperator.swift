// What an operator may ask of a running file system, as values. The Command room carries these questions and answers
// over the control socket; the core answers them. Neither side knows the other's types beyond this folder.

/// A running file system, as its operator sees it.
///
/// Every call may take as long as the storages take, and none blocks the thread it is called on. What they throw is an
/// `OperatorError`, one line that may be shown as it is.
package protocol FileSystemOperator: Sendable {
    /// How the file system is doing now.
    func status() async throws -> StatusReport

    /// The row of one file.
    ///
    /// `path` is relative to the root of the file system, without a leading slash, in the bytes of the kernel; empty
    /// for the root itself.
    func info(path: [UInt8]) async throws -> ResourceReport

    /// The rows whose storages do not match, oldest first, and then what was set aside, page by page.
    ///
    /// The next page is read when `receive` returns. What `receive` throws ends the list.
    func leftovers(_ receive: @Sendable ([LeftoverReport]) async throws -> Void) async throws

    /// Finishes what the leftovers need: uploads again, removes again.
    ///
    /// With `dryRun` nothing is done; `receive` is told what would be, page by page.
    func clean(
        dryRun: Bool, _ receive: @Sendable ([CleanReport.Step]) async throws -> Void
    ) async throws -> CleanReport

    /// Compares the whole bucket with the catalogue now; `receive` is told what is not as it should be, page by page.
    ///
    /// What main has and the bucket lost is uploaded again in the background.
    func checkObjects(
        _ receive: @Sendable ([ObjectReport.Finding]) async throws -> Void
    ) async throws -> ObjectReport

    /// What was moved out of the way in main storage, oldest first, page by page, like `leftovers`.
    func setAside(_ receive: @Sendable ([AsideReport]) async throws -> Void) async throws

    /// Brings one of them back into the file system, beside what has its name by now; says where it is.
    func restoreAside(_ id: Int64) async throws -> AsideReport

    /// Removes one of them for good.
    func discardAside(_ id: Int64) async throws

    /// Waits until the backup storage holds everything that was acknowledged before the call.
    ///
    /// `progress` is called from any thread, at the start and whenever a figure changed, not more than a few times a
    /// second. Cancelling the task ends the wait, not the uploads.
    func sync(progress: @Sendable (SyncProgress) -> Void) async throws

    /// What the journal in the backup can be restored to, oldest first; with `isNew` after a snapshot of now.
    func snapshots(isNew: Bool) async throws -> [SnapshotReport]
}

/// Why an operator's request failed: one plain line that says what happened and what to do.
package struct OperatorError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The line, without a full stop and without secrets.
    package var message: String

    package init(message: String) {
        self.message = message
    }

    package var description: String { message }
}
