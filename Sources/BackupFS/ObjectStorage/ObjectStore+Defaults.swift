// What stores do that have nothing better.

extension ObjectStore {
    package var proof: String? { nil }

    package var outage: ObjectStoreError? { nil }

    /// Whatever a file can have.
    package var largestObject: Int64 { .max }

    package func digestPlan(length: Int64) -> DigestPlan { .content }

    /// A store for which a call is one request.
    package func put(
        _ key: String, _ body: ObjectBody, _ attributes: ObjectAttributes, as call: StoreCall,
        deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) {
        try await put(key, body, attributes, deadline: deadline)
    }

    /// A store for which a call is one request.
    package func get(
        _ key: String, into descriptor: Int32, limit: Int64, as call: StoreCall, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) -> ObjectSummary {
        try await get(key, into: descriptor, limit: limit, deadline: deadline)
    }

    /// One by one, a few at a time.
    package func delete(
        _ keys: [String], deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) -> [String: ObjectStoreError] {
        await deleteEach(keys, deadline: deadline)
    }

    /// Removes objects with a request for each; returns what went wrong.
    func deleteEach(_ keys: [String], deadline: ContinuousClock.Instant) async -> [String: ObjectStoreError] {
        let outcomes = await inParallel(keys, width: 8) { key in
            await Result { () async throws(ObjectStoreError) in try await self.delete(key, deadline: deadline) }
        }
        var failures: [String: ObjectStoreError] = [:]
        for (key, outcome) in zip(keys, outcomes) {
            if case .failure(let error) = outcome { failures[key] = error }
        }
        return failures
    }

    package func create(
        _ key: String, _ bytes: [UInt8], _ attributes: ObjectAttributes, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) -> Creation { .notOffered }

    /// A store that lies in no other.
    package func ancestor(
        holding key: String, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) -> String? { nil }

    /// A store that has no uploads in parts records none.
    package func use(_ recorder: any UploadRecorder) {}

    package func abortUnfinished(deadline: ContinuousClock.Instant) async throws(ObjectStoreError) -> Int { 0 }
}

extension Result {
    /// What became of `body`.
    package init(_ body: () async throws(Failure) -> Success) async {
        do throws(Failure) {
            self = .success(try await body())
        } catch {
            self = .failure(error)
        }
    }
}

/// What `work` makes of each item, in their order; at most `width` at a time.
package func inParallel<Item: Sendable, Outcome: Sendable>(
    _ items: [Item], width: Int, _ work: @escaping @Sendable (Item) async -> Outcome
) async -> [Outcome] {
    await withTaskGroup(of: (Int, Outcome).self) { group in
        var outcomes = [Outcome?](repeating: nil, count: items.count)
        for (index, item) in items.enumerated() {
            if index >= width, let (done, outcome) = await group.next() { outcomes[done] = outcome }
            group.addTask { (index, await work(item)) }
        }
        for await (done, outcome) in group { outcomes[done] = outcome }
        return outcomes.compactMap(\.self)
    }
}

/// What `work` makes of each item, in their order; at most `width` at a time.
///
/// The first failure cancels the others. Returns or throws when none of them runs any more.
func inParallel<Item: Sendable, Answer: Sendable>(
    _ items: [Item], width: Int,
    throwing work: @escaping @Sendable (Item) async throws(ObjectStoreError) -> Answer
) async throws(ObjectStoreError) -> [Answer] {
    let outcome = await withTaskGroup(of: (Int, Result<Answer, ObjectStoreError>).self) { group in
        var answers = [Answer?](repeating: nil, count: items.count)
        var failure: ObjectStoreError?
        func take(_ done: (Int, Result<Answer, ObjectStoreError>)) {
            switch done.1 {
            case .success(let answer): answers[done.0] = answer
            case .failure(let error):
                failure = failure ?? error
            }
        }
        for (index, item) in items.enumerated() {
            if index >= width, let done = await group.next() { take(done) }
            if failure != nil { break }
            group.addTask {
                (index, await Result { () async throws(ObjectStoreError) in try await work(item) })
            }
        }
        if failure != nil { group.cancelAll() }
        while let done = await group.next() {
            take(done)
            if failure != nil { group.cancelAll() }
        }
        return failure.map { Result.failure($0) } ?? .success(answers.compactMap(\.self))
    }
    return try outcome.get()
}
