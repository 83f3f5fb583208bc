import Dispatch
import FileSystemCore
import Linux
import Synchronization

/// Runs asynchronous work to its end from a thread that may block: the process's own, never one of the pool.
func waitFor<Value: Sendable, Failure: Error>(
    _ work: @escaping @Sendable () async throws(Failure) -> Value
) throws(Failure) -> Value {
    let outcome = Outcome<Value, Failure>()
    Task(executorPreference: BlockingExecutor.shared) {
        do throws(Failure) {
            outcome.set(.success(try await work()))
        } catch {
            outcome.set(.failure(error))
        }
    }
    return try outcome.wait().get()
}

private final class Outcome<Value: Sendable, Failure: Error>: Sendable {
    /// Guards the result; taken alone.
    private let result = Mutex<Result<Value, Failure>?>(nil)
    private let isThere = DispatchSemaphore(value: 0)

    func set(_ value: Result<Value, Failure>) {
        result.withLock { $0 = value }
        isThere.signal()
    }

    func wait() -> Result<Value, Failure> {
        while true {
            isThere.wait()
            if let result = result.withLock({ $0 }) { return result }
        }
    }
}
