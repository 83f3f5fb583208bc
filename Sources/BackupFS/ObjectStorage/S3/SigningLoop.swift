// Who we are, where the bucket is, and what time the server has may turn out otherwise than was thought. What the server's
// answers say of it is remembered for the store, and the request is signed and sent again, once for each finding. Nobody
// above sees the first answer.

import Linux
import Logging
import Synchronization

/// What a request was signed with.
struct Signing: Sendable {
    let credentials: S3Credentials
    let place: BucketPlace
    /// How far the server's clock was taken to be ahead of ours.
    let clockOffset: Duration
}

/// Sends requests to a bucket's server, each signed with the credentials of the moment.
final class SigningLoop: Sendable {
    private struct State {
        var place: BucketPlace
        /// Of the last request; keeps its day's key.
        var signer: SignatureV4?
    }

    private let configuration: S3Configuration
    private let loop: TransferLoop
    private let provider: CredentialsProvider
    private let clock: ServerClock
    private let logger: Logger
    /// Guards what the answers have told; held for no call out of this file.
    private let state: Mutex<State>

    /// Starts the thread; throws `.localFile` with ENOMEM if libcurl cannot be used.
    init(
        _ configuration: S3Configuration, timeouts: TransferTimeouts, clock: ServerClock, logger: Logger
    ) throws(ObjectStoreError) {
        self.configuration = configuration
        self.clock = clock
        self.logger = logger
        state = Mutex(State(place: BucketPlace(region: configuration.region, address: configuration.address)))
        let fetcher = CredentialFetcher(caBundle: configuration.caBundle, proxies: configuration.proxies, clock: clock)
        provider = CredentialsProvider(configuration.credentials, fetcher, clock: clock, logger: logger)
        loop = try TransferLoop(
            TransferSettings(
                caBundle: configuration.caBundle, proxies: configuration.proxies, timeouts: timeouts,
                bandwidth: configuration.objects.bandwidthLimit),
            transfers: configuration.transfers)
    }

    /// Ends the thread; nothing may be submitted afterwards, and nothing may be running.
    func stop() { loop.stop() }

    /// While it is held, nothing is started but probes.
    func hold(_ isHeld: Bool) { loop.hold(isHeld) }

    /// What the answers have told.
    var discoveries: [StoreDiscovery] {
        let place = state.withLock { $0.place }
        var found: [StoreDiscovery] = []
        if clock.offset != .zero { found.append(.clock(ahead: clock.offset)) }
        if place.region != configuration.region {
            found.append(.region(place.region))
        } else if place.address != configuration.address {
            found.append(.host(place.address.endpoint.host))
        }
        return found
    }

    /// Runs one request; a cancelled task gives it up.
    ///
    /// Throws `.denied` without credentials, `.deadlineExceeded`, `.unreachable` or what went wrong on our side; any HTTP
    /// status is an answer.
    func run(_ request: S3Request, deadline: ContinuousClock.Instant) async throws(ObjectStoreError) -> S3Answer {
        var attempt = Attempt()
        while true {
            let credentials = try await provider.current(deadline: deadline)
            let answer = try await send(request, credentials, deadline)
            guard (300...499).contains(answer.status), let signing = answer.signing else { return answer }
            if await learn(from: answer, signing, &attempt, deadline) { continue }
            // The refusal of a HEAD has no body and so no code: a listing is told the reason, and learns from it.
            guard request.method == .head, [400, 401, 403].contains(answer.status), !attempt.hasAsked else {
                return answer
            }
            attempt.hasAsked = true
            _ = try await run(probe, deadline: deadline)
            guard isOutdated(signing) else { return answer }
        }
    }

    /// Sends it once.
    ///
    /// A host that the server pointed to is given up when it cannot be reached: what the operator wrote is asked again.
    /// Not so at AWS, where hosts follow from regions.
    private func send(
        _ request: S3Request, _ credentials: S3Credentials, _ deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) -> S3Answer {
        do throws(ObjectStoreError) {
            return try await loop.run(request, deadline: deadline) { [self] in sign($0, credentials) }
        } catch {
            if case .unreachable = error, AWSHost(configuration.endpoint.name) == nil {
                state.withLock { $0.place.address = configuration.address }
            }
            throw error
        }
    }

    /// What one request has led to so far: each remedy is tried once.
    private struct Attempt {
        var places: [BucketPlace] = []
        var hasSetClock = false
        var hasReplaced = false
        var hasAsked = false
    }

    /// Takes in what an answer says about clock, place and credentials; true if the request is to be sent again.
    private func learn(
        from answer: S3Answer, _ signing: Signing, _ attempt: inout Attempt, _ deadline: ContinuousClock.Instant
    ) async -> Bool {
        let failure = S3Failure(answer)
        if let code = failure.code, Self.skewed.contains(code), !attempt.hasSetClock {
            attempt.hasSetClock = true
            if let date = answer.date, clock.follow(date) {
                logger.warning(
                    "the clock of this machine is wrong: the backup storage's is used",
                    metadata: ["offset": "\(clock.offset)"])
            }
            return clock.offset != signing.clockOffset
        }
        if let place = signing.place.followed(by: answer, configured: configuration.address),
            !attempt.places.contains(place)
        {
            attempt.places += [signing.place, place]
            let isNews = state.withLock { state in
                defer { state.place = place }
                return state.place != place
            }
            if isNews {
                logger.notice(
                    "the bucket is elsewhere",
                    metadata: ["region": "\(place.region)", "host": "\(place.address.server.host)"])
            }
            return true
        }
        let isRefused = [401, 403].contains(answer.status) || failure.code.map(Self.replaced.contains) ?? false
        if isRefused, !attempt.hasReplaced {
            attempt.hasReplaced = true
            return await provider.replace(signing.credentials, deadline: deadline)
        }
        return false
    }

    /// Codes for a signature of another time.
    private static let skewed: Set<ServerCode> = [.requestTimeTooSkewed, .requestExpired, .requestInTheFuture]

    /// Codes for credentials that are not good any more, whatever the status.
    ///
    /// That a secret was changed shows in the signature only. With 401 and 403 any code may mean it: servers differ, proxies have none, and a policy may have been changed with
    /// the keys. The provider limits how often anybody is asked.
    private static let replaced: Set<ServerCode> = [
        .expiredToken, .invalidAccessKeyID, .invalidToken, .tokenRefreshRequired, .invalidClientTokenID,
        .signatureDoesNotMatch,
    ]

    /// Whether a request would be signed otherwise now.
    private func isOutdated(_ signing: Signing) -> Bool {
        let place = state.withLock { $0.place }
        return place != signing.place || clock.offset != signing.clockOffset
            || provider.latest.map { !$0.sign(like: signing.credentials) } ?? false
    }

    /// Asks for next to nothing.
    private var probe: S3Request {
        let prefix = configuration.prefix.isEmpty ? "" : percentEncoded(configuration.prefix + "/")
        return S3Request(
            method: .get, lane: .read, key: "", path: configuration.address.root,
            query: "list-type=2&max-keys=1&prefix=\(prefix)")
    }

    /// Signs a request on the loop's thread: `credentials` are what it was given when it began to wait for its turn.
    private func sign(_ request: S3Request, _ credentials: S3Credentials) -> SignedRequest {
        let credentials = provider.latest ?? credentials
        let (place, signer) = state.withLock { state in
            if let signer = state.signer, signer.region == state.place.region,
                signer.credentials.sign(like: credentials)
            {
                return (state.place, signer)
            }
            let signer = SignatureV4(credentials: credentials, region: state.place.region)
            state.signer = signer
            return (state.place, signer)
        }
        let server = place.address.server
        let headers = request.headers(signer, host: server.host, at: .init(seconds: clock.now))
        let signing = Signing(credentials: credentials, place: place, clockOffset: clock.offset)
        return SignedRequest(endpoint: server, headers: headers, signing: signing)
    }
}
