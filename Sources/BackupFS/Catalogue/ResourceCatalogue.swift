// The catalogue: what exists. It is asked before any storage is touched and is the authority on names, attributes and
// listings. Whatever database is behind it keeps the contract of Tests/CatalogueTests/CatalogueContract.swift.

/// How much a change must survive before its caller goes on.
package enum Durability: Sendable {
    /// A killed process (WAL without a sync); a power loss may undo it.
    case processCrash
    /// A power loss (the log is synced before the caller goes on).
    case powerLoss
}

/// What answers the catalogue's questions, each about one snapshot, and what it throws.
package protocol CatalogueAnswering {
    associatedtype Failure: Error

    /// Lets `body` ask about one consistent snapshot, on this thread.
    func answer<Answer>(
        _ body: (any CatalogueQuestions) throws(CatalogueError) -> Answer
    ) throws(Failure) -> Answer

    /// What is known without asking; nil if nothing is kept.
    var memory: CatalogueMemory? { get }
}

/// The database of one main directory.
///
/// Safe to use from every thread.
package protocol ResourceCatalogue: CatalogueAnswering, Sendable where Failure == CatalogueError {
    /// Answers a question that may take longer, after the ones before it, on no thread of the caller's.
    func ask<Answer>(_ question: CatalogueQuestion<Answer>) async throws(CatalogueError) -> Answer

    /// Answers a question that may take minutes, and that no other one waits for but those of this kind.
    func askAtLength<Answer>(_ question: CatalogueQuestion<Answer>) async throws(CatalogueError) -> Answer

    /// Changes the catalogue and waits, on this thread, until the change is committed.
    func change<Outcome>(
        _ durability: Durability, _ change: CatalogueChange<Outcome>
    ) throws(CatalogueError) -> Outcome

    /// Changes the catalogue and suspends until the change is committed.
    func changeLater<Outcome>(
        _ durability: Durability, _ change: CatalogueChange<Outcome>
    ) async throws(CatalogueError) -> Outcome

    /// Changes the catalogue after all earlier changes, without waiting.
    ///
    /// `patiently`: with the next change, or a twentieth of a second later. `finished` is called once, after the commit or
    /// with what prevented it; it must not wait.
    func record<Outcome>(
        _ change: CatalogueChange<Outcome>, patiently: Bool,
        finished: @escaping @Sendable (Result<Outcome, CatalogueError>) -> Void)

    /// Calls `finished` once when all that has been committed so far survives a power loss, or with what prevents it.
    ///
    /// It must not wait.
    func whenDurable(_ finished: @escaping @Sendable (CatalogueError?) -> Void)

    /// The same, waiting on this thread.
    func waitUntilDurable() throws(CatalogueError)

    /// Throws `.damaged` if the database is found damaged; reads all of it.
    func checkIntegrity() throws(CatalogueError)

    /// Ends every connection, after the questions that are under way; questions and changes fail afterwards.
    func close() throws(CatalogueError)
}

extension ResourceCatalogue {
    /// Returns when all that has been committed so far survives a power loss.
    package func becomeDurable() async throws(CatalogueError) {
        let failure: CatalogueError? = await withCheckedContinuation { continuation in
            whenDurable { continuation.resume(returning: $0) }
        }
        if let failure { throw failure }
    }
}
