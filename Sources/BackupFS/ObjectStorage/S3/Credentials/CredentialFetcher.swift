// Gets credentials as a recipe says. All HTTP goes through a transfer loop of its own, so that no upload is in its way
// and no outage of the store holds it back; it is made when it is needed first.

import Foundation
import Linux
import Synchronization

/// Follows recipes.
final class CredentialFetcher: Sendable {
    /// How long an endpoint on this machine, or next to it, may take for one answer.
    private static let nearPatience = Duration.seconds(2)
    private static let longestToken = 64 * 1024

    private let caBundle: String?
    private let proxies: ProxySettings
    private let clock: ServerClock
    /// Runs programs.
    private let programs = BlockingQueue(label: "backupfs.s3.credentials", width: 1)
    /// Guards the loop until it is made; held for no call but its creation.
    private let loop = Mutex<TransferLoop?>(nil)

    init(caBundle: String?, proxies: ProxySettings, clock: ServerClock) {
        self.caBundle = caBundle
        self.proxies = proxies
        self.clock = clock
    }

    deinit { loop.withLock { $0?.stop() } }

    /// The credentials.
    ///
    /// Throws `.unreachable` or `.deadlineExceeded` for what may pass, else `.denied`.
    func fetch(
        _ recipe: CredentialRecipe, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) -> S3Credentials {
        switch recipe {
        case .ready(let credentials): return credentials
        case .process(let words, _):
            let source = recipe.name
            let output = try await programs.run(deadline: deadline) { _ throws(ObjectStoreError) in
                try CredentialProcess.output(words, source: source, deadline: deadline)
            }
            return try CredentialDocument(output, version: 1, source: source).credentials
        case .role(let role, let source):
            return try await assume(role, with: try await fetch(source, deadline: deadline), deadline: deadline)
        case .webIdentity(let role, let tokenFile):
            let token = try token(in: tokenFile)
            let answer = try await send(
                role.service.request(role, token: token), to: role.service.endpoint, deadline: deadline)
            return try role.service.credentials(answer, role: role)
        case .container(let container): return try await ask(container, deadline: deadline)
        case .instance(let service): return try await ask(service, deadline: deadline)
        }
    }

    private func assume(
        _ role: CredentialRecipe.Role, with credentials: S3Credentials, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) -> S3Credentials {
        let service = role.service
        let signer = SignatureV4(credentials: credentials, region: service.region, service: "sts")
        var answer = try await send(
            service.request(role, token: nil), to: service.endpoint, signer: signer, deadline: deadline)
        // STS names a wrong clock in words only: its own one is tried if it differs from ours.
        if answer.status == 403 || answer.status == 400, let date = answer.date, clock.follow(date) {
            answer = try await send(
                service.request(role, token: nil), to: service.endpoint, signer: signer, deadline: deadline)
        }
        return try service.credentials(answer, role: role)
    }

    private func ask(
        _ container: ContainerEndpoint, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) -> S3Credentials {
        let source = CredentialRecipe.container(container).name
        var request = near(.get, container.target)
        switch container.token {
        case .none: break
        case .text(let token): request.headers.append(("authorization", try header(token, source)))
        case .file(let path): request.headers.append(("authorization", try token(in: path)))
        }
        let answer = try await send(
            request, to: container.endpoint, usesProxy: false,
            deadline: min(deadline, .now + Self.nearPatience))
        try expect200(answer, source)
        return try CredentialDocument(answer.body, source: source).credentials
    }

    private func ask(
        _ service: InstanceMetadata, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) -> S3Credentials {
        let source = CredentialRecipe.instance(service).name
        func send(_ request: S3Request) async throws(ObjectStoreError) -> [UInt8] {
            let answer = try await self.send(
                request, to: service.endpoint, usesProxy: false, deadline: min(deadline, .now + Self.nearPatience))
            try expect200(answer, source)
            return answer.body
        }
        var opening = near(.put, service.endpoint.basePath + "/latest/api/token")
        opening.headers = [("x-aws-ec2-metadata-token-ttl-seconds", "21600")]
        let token = try header(String(decoding: try await send(opening), as: UTF8.self), source)
        let roles = service.endpoint.basePath + "/latest/meta-data/iam/security-credentials/"
        var asking = near(.get, roles)
        asking.headers = [("x-aws-ec2-metadata-token", token)]
        let names = String(decoding: try await send(asking), as: UTF8.self)
        guard let name = names.split(whereSeparator: \.isNewline).first else {
            throw .noCredentials("\(source) has no role for this machine")
        }
        asking.path = roles + percentEncoded(String(name))
        return try CredentialDocument(try await send(asking), source: source).credentials
    }

    private func near(_ method: S3Request.Method, _ target: String) -> S3Request {
        let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        return S3Request(
            method: method, lane: .read, key: "", path: String(parts[0]), query: parts.count > 1 ? String(parts[1]) : ""
        )
    }

    private func expect200(_ answer: S3Answer, _ source: String) throws(ObjectStoreError) {
        if answer.status == 200 { return }
        if answer.status >= 500 || answer.status == 429 {
            throw .unreachable(reason: "\(source): status \(answer.status)", retryAfter: answer.retryAfter)
        }
        throw .noCredentials("\(source) has none: status \(answer.status)")
    }

    private func send(
        _ request: S3Request, to endpoint: S3Endpoint, signer: SignatureV4? = nil, usesProxy: Bool = true,
        deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) -> S3Answer {
        let clock = clock
        return try await transferLoop().run(request, deadline: deadline) { request in
            let headers = request.headers(signer, host: endpoint.host, at: .init(seconds: clock.now))
            return SignedRequest(endpoint: endpoint, headers: headers, usesProxy: usesProxy)
        }
    }

    private func transferLoop() throws(ObjectStoreError) -> TransferLoop {
        let made = loop.withLock { loop -> Result<TransferLoop, ObjectStoreError> in
            if let loop { return .success(loop) }
            return Result { () throws(ObjectStoreError) in
                let new = try TransferLoop(TransferSettings(caBundle: caBundle, proxies: proxies), transfers: 2)
                loop = new
                return new
            }
        }
        return try made.get()
    }

    /// A token in a file that somebody else keeps fresh.
    private func token(in path: String) throws(ObjectStoreError) -> String {
        let bytes: [UInt8]?
        do throws(StoreConfigurationError) {
            bytes = try SecretFile.contents(path, longest: Self.longestToken)
        } catch {
            throw .noCredentials("\(error)")
        }
        guard let bytes else { throw .noCredentials("the token file \(path) does not exist") }
        return try header(String(decoding: bytes, as: UTF8.self), "the token file \(path)")
    }

    /// A text as a header's value, without the line end that files have.
    private func header(_ text: String, _ source: String) throws(ObjectStoreError) -> String {
        let value = text.trimmingCharacters(in: .whitespacesAndNewlines)
        guard !value.isEmpty, value.utf8.allSatisfy({ (0x20...0x7e).contains($0) }) else {
            throw .noCredentials("\(source) holds no token")
        }
        return value
    }
}
