// The credentials of the moment. Requests take them from here when they are signed. They are fetched once for all who
// wait; before they end, the next ones are fetched while requests go on with the old ones; and when the server refuses
// them, they are fetched anew: files are read again, so a key that was changed there heals by itself.

import Linux
import Logging
import Synchronization

/// Gives credentials, and keeps them fresh.
final class CredentialsProvider: Sendable {
    /// How long one fetch may take, whoever waits for it and however short.
    private static let patience = Duration.seconds(60)

    /// How soon before their end the next credentials are fetched, in seconds: a quarter of their life, at most.
    private static let early: Int64 = 15 * 60
    /// How soon before their end credentials are no longer used, in seconds: requests may wait before they are sent.
    private static let late: Int64 = 60

    private typealias Outcome = Result<S3Credentials, ObjectStoreError>

    private static let tooLate = Outcome.failure(.deadlineExceeded(reason: "the credentials did not come in time"))

    private struct State {
        var credentials: S3Credentials?
        /// When to fetch the next ones, and from when on the present ones are not used any more, by the server's clock.
        var refresh = Int64.max
        var end = Int64.max
        /// Those who wait for the fetch that runs; nil if none runs.
        var waiting: [OneShot<Outcome>]?
        /// Nothing is fetched before this, unless there is nothing at all.
        var rest: ContinuousClock.Instant?
        /// What the last fetch ended with, if it failed.
        var failure: ObjectStoreError?
    }

    private let chain: CredentialChain
    private let fetcher: CredentialFetcher
    private let clock: ServerClock
    private let logger: Logger
    /// How long to rest after a fetch that did not help: others ask again at once.
    private let pause: Duration
    /// Guards the credentials and the fetch that runs; held for no call out of this file.
    private let state = Mutex(State())

    init(
        _ chain: CredentialChain, _ fetcher: CredentialFetcher, clock: ServerClock, logger: Logger,
        pause: Duration = .seconds(5)
    ) {
        self.chain = chain
        self.fetcher = fetcher
        self.clock = clock
        self.logger = logger
        self.pause = pause
    }

    /// The last ones, whether they still hold or not.
    var latest: S3Credentials? { state.withLock { $0.credentials } }

    /// Credentials that hold; waits only if there are none.
    ///
    /// Throws `.denied` if there is no way to get any, `.unreachable` if there may be one later, `.deadlineExceeded`.
    func current(deadline: ContinuousClock.Instant) async throws(ObjectStoreError) -> S3Credentials {
        let now = clock.now
        let (held, waits) = state.withLock { state -> (Outcome, OneShot<Outcome>?) in
            guard let credentials = state.credentials else { return (Self.tooLate, join(&state)) }
            let isResting = state.rest.map { $0 > .now } ?? false
            if now < state.end {
                if now >= state.refresh, !isResting, state.waiting == nil { start(&state) }
                return (.success(credentials), nil)
            }
            guard isResting else { return (Self.tooLate, join(&state)) }
            return (state.failure.map { .failure($0) } ?? .success(credentials), nil)
        }
        guard let waits else { return try held.get() }
        return try await Self.wait(for: waits, deadline: deadline)
    }

    /// The server refused these credentials: whether there are others by now.
    func replace(_ refused: S3Credentials, deadline: ContinuousClock.Instant) async -> Bool {
        let waits = state.withLock { state -> OneShot<Outcome>? in
            if let credentials = state.credentials, !credentials.sign(like: refused) { return nil }
            if state.waiting == nil, let rest = state.rest, rest > .now { return nil }
            return join(&state)
        }
        if let waits { _ = try? await Self.wait(for: waits, deadline: deadline) }
        return state.withLock { state in state.credentials.map { !$0.sign(like: refused) } ?? false }
    }

    /// Waits for the fetch that runs, or for one that is started.
    private func join(_ state: inout State) -> OneShot<Outcome> {
        let outcome = OneShot<Outcome>()
        if state.waiting == nil { start(&state) }
        state.waiting?.append(outcome)
        return outcome
    }

    private func start(_ state: inout State) {
        state.waiting = []
        Task.detached { [self] in await fetch() }
    }

    private func fetch() async {
        let hadSome = latest != nil
        let outcome: Outcome
        var name = "the chain"
        do throws(ObjectStoreError) {
            let recipe = try recipe()
            name = recipe.name
            outcome = .success(try await fetcher.fetch(recipe, deadline: .now + Self.patience))
        } catch {
            outcome = .failure(hadSome ? error : Self.firstFailure(error, name))
            logger.warning(
                "credentials could not be fetched", metadata: ["source": "\(name)", "error": "\(error)"])
        }
        let now = clock.now
        let waiting = state.withLock { state in
            defer { state.waiting = nil }
            var isNews = false
            state.failure = nil
            switch outcome {
            case .failure(let error): state.failure = error
            case .success(let credentials):
                isNews = state.credentials.map { !$0.sign(like: credentials) } ?? true
                state.credentials = credentials
                let life = credentials.expiration.map { max(0, $0 - now) }
                state.refresh = credentials.expiration.map { $0 - min(Self.early, (life ?? 0) / 4) } ?? .max
                state.end = credentials.expiration.map { $0 - min(Self.late, (life ?? 0) / 20) } ?? .max
            }
            // Also after credentials that are over when they come: others than these there are not yet.
            state.rest = isNews && state.refresh > now ? nil : .now + pause
            return state.waiting ?? []
        }
        for one in waiting { one.decide(outcome) }
    }

    private func recipe() throws(ObjectStoreError) -> CredentialRecipe {
        do throws(StoreConfigurationError) {
            return try chain.recipe()
        } catch {
            throw .noCredentials("\(error)")
        }
    }

    /// Nobody was ever there to give credentials: most likely nobody is, and the operator has forgotten to say who we are.
    private static func firstFailure(_ error: ObjectStoreError, _ name: String) -> ObjectStoreError {
        guard name == "the instance metadata service" else { return error }
        switch error {
        case .unreachable, .deadlineExceeded:
            return .noCredentials(
                """
                neither the environment nor a profile has any, and no instance metadata service answers: \
                set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give a password file or a profile
                """)
        default: return error
        }
    }

    private static func wait(
        for outcome: OneShot<Outcome>, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) -> S3Credentials {
        try await outcome.value(until: deadline) { _ in Self.tooLate }.get()
    }
}
