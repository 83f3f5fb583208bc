// The catalogue as the core uses it: with the core's own error, and with a place for what is only noted.

import Catalogue
import Logging

/// The way of every part of the core to the catalogue.
final class CatalogueClient: CatalogueAnswering, Sendable {
    let catalogue: any ResourceCatalogue
    /// Who is woken when work is recorded.
    let work: WorkSignal
    /// Uploads that no row tells of yet.
    let uploadsAhead = UploadsAhead()
    /// How durable a change of a name or an attribute is when its call returns.
    let nameDurability: Durability
    private let counters: Counters
    private let logger: Logger

    init(
        _ catalogue: any ResourceCatalogue, work: WorkSignal, syncsNames: Bool = false, counters: Counters,
        logger: Logger
    ) {
        self.catalogue = catalogue
        self.work = work
        nameDurability = syncsNames ? .powerLoss : .processCrash
        self.counters = counters
        self.logger = logger
    }

    var memory: CatalogueMemory? { catalogue.memory }

    func answer<Answer>(
        _ body: (any CatalogueQuestions) throws(CatalogueError) -> Answer
    ) throws(FileSystemError) -> Answer {
        do throws(CatalogueError) { return try catalogue.answer(body) } catch { throw .catalogue(error) }
    }

    /// Asks the catalogue beside the readers that lookups need, on no thread of ours.
    func ask<Answer>(_ question: CatalogueQuestion<Answer>) async throws(FileSystemError) -> Answer {
        do throws(CatalogueError) { return try await catalogue.ask(question) } catch { throw .catalogue(error) }
    }

    /// Asks what may take minutes.
    func askAtLength<Answer>(_ question: CatalogueQuestion<Answer>) async throws(FileSystemError) -> Answer {
        do throws(CatalogueError) { return try await catalogue.askAtLength(question) } catch { throw .catalogue(error) }
    }

    /// Changes the catalogue and waits, on this thread, until that is committed.
    func change<Outcome>(
        _ durability: Durability, _ change: CatalogueChange<Outcome>
    ) throws(FileSystemError) -> Outcome {
        do throws(CatalogueError) { return try catalogue.change(durability, change) } catch { throw .catalogue(error) }
    }

    /// Changes the catalogue and suspends until that is committed.
    func changeLater<Outcome>(
        _ durability: Durability, _ change: CatalogueChange<Outcome>
    ) async throws(FileSystemError) -> Outcome {
        do throws(CatalogueError) {
            return try await catalogue.changeLater(durability, change)
        } catch {
            throw .catalogue(error)
        }
    }

    /// Waits, on this thread, until all that the catalogue has committed so far survives a power loss.
    func waitUntilDurable() throws(FileSystemError) {
        do throws(CatalogueError) { try catalogue.waitUntilDurable() } catch { throw .catalogue(error) }
    }

    /// Calls `finished` when all that the catalogue has committed so far survives a power loss; it must not wait.
    func whenDurable(_ finished: @escaping @Sendable (FileSystemError?) -> Void) {
        catalogue.whenDurable { error in finished(error.map { .catalogue($0) }) }
    }

    /// Returns when all that the catalogue has committed so far survives a power loss.
    func becomesDurable() async throws(FileSystemError) {
        do throws(CatalogueError) { try await catalogue.becomeDurable() } catch { throw .catalogue(error) }
    }

    /// Throws if the catalogue's own data are damaged; reads all of them.
    func checkIntegrity() throws(FileSystemError) {
        do throws(CatalogueError) { try catalogue.checkIntegrity() } catch { throw .catalogue(error) }
    }

    /// Ends every use of the catalogue.
    func close() throws(FileSystemError) {
        do throws(CatalogueError) { try catalogue.close() } catch { throw .catalogue(error) }
    }

    /// Notes a fact that the next start would find out by itself; a failure is logged.
    ///
    /// `patiently`: nobody asks for it soon, so it may wait for the next change.
    func record(_ step: String, patiently: Bool = false, _ change: CatalogueChange<Void>) {
        catalogue.record(change, patiently: patiently) { [self] result in
            if case .failure(let error) = result { noteUnrecorded(step, error) }
        }
    }

    /// Notes that the background has something to do, and wakes it when that is committed: earlier it would not see it.
    ///
    /// `finished` is told what the change answered; it must not wait.
    func recordWork<Outcome>(
        _ step: String, _ change: CatalogueChange<Outcome>, finished: @escaping @Sendable (Outcome) -> Void = { _ in }
    ) {
        catalogue.record(change, patiently: false) { [self] result in
            switch result {
            case .success(let outcome): finished(outcome)
            case .failure(let error): noteUnrecorded(step, error)
            }
            work.wake()
        }
    }

    private func noteUnrecorded(_ step: String, _ error: CatalogueError) {
        counters.add(\.catalogueFailures)
        logger.error("the catalogue could not record a step", metadata: ["step": "\(step)", "error": "\(error)"])
    }
}
