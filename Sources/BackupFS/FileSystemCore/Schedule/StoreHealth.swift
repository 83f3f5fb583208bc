// What is known of backup storage from the requests that were answered and those that failed. While it is down one request
// at a time asks whether it is back; when it is, everything that failed is due at once.

import Catalogue
import ObjectStorage
import Synchronization

/// Whether backup storage can be reached.
final class StoreHealth: Sendable {
    /// Rows that one transaction of the background changes: a few milliseconds' worth.
    static let rowsAtOnce = 200

    private struct State {
        var lastError: String?
        var isReachable = true
        var outage: ObjectStoreError?
    }

    private let store: any ObjectStore
    private let catalogue: CatalogueClient
    /// Guards three values; held for no call out of this file.
    private let state = Mutex(State())

    init(store: any ObjectStore, catalogue: CatalogueClient) {
        self.store = store
        self.catalogue = catalogue
    }

    /// Whether the last request that says something of the store as a whole was answered.
    var isReachable: Bool { state.withLock { $0.isReachable } }

    /// The same, and no request that is not given up yet has found an outage.
    var isAnswering: Bool { isReachable && store.outage == nil }

    /// The last error, for an operator; nil if there was none.
    var lastError: String? { store.outage.map { "\($0)" } ?? state.withLock { $0.lastError } }

    /// The error that proved an outage which has not ended: it outlasted a request's own patience.
    var outage: ObjectStoreError? { state.withLock { $0.outage } }

    /// Takes in how a request ended; nil: it was answered.
    func note(_ error: ObjectStoreError?) {
        let (isBack, isNewOutage) = state.withLock { state in
            let wasReachable = state.isReachable
            let wasKnown = state.outage != nil
            if let error { state.lastError = "\(error)" }
            state.isReachable = error.map { !$0.meansUnreachable } ?? true
            if case .unreachable = error { state.outage = error } else if state.isReachable { state.outage = nil }
            return (state.isReachable && !wasReachable, state.outage != nil && !wasKnown)
        }
        if isBack { return makeFailuresDue(now: currentTime()) }
        // Somebody has to ask for its end.
        if isNewOutage { catalogue.work.uploads.wake() }
    }

    /// How long something that failed waits for its next attempt, in nanoseconds.
    ///
    /// With the store down not long: then it is the store that is left alone, and what is due goes on when it returns.
    func delay(attempts: Int) -> Nanoseconds {
        guard !isReachable else { return RetryDelay.next(attempts: attempts) }
        return min(RetryDelay.next(attempts: attempts), Nanoseconds(RetryDelay.outagePause.upperBound * 1e9))
    }

    /// Leaves a store that is down alone for a while, whatever becomes due meanwhile.
    func rest(_ task: Pacemaker) async {
        await task.sleep(until: .now + .seconds(Double.random(in: RetryDelay.outagePause))) { !isReachable }
    }

    /// Some at a time: closes wait for the same writer.
    private func makeFailuresDue(now: Nanoseconds) {
        catalogue.recordWork("Background", .makeFailuresDue(now: now, limit: Self.rowsAtOnce)) { [self] isMore in
            if isMore { makeFailuresDue(now: now) }
        }
    }
}

extension ObjectStoreError {
    /// Whether the error says that the store cannot be used at all now, rather than something about one object.
    var meansUnreachable: Bool {
        switch self {
        case .unreachable, .deadlineExceeded, .noSuchBucket, .denied: true
        case .notFound, .full, .corrupted, .contentChanged, .rejected, .localFile: false
        }
    }
}
