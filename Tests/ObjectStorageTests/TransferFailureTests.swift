// What libcurl's numbers mean. That a real libcurl gives them is shown with real servers in MountTests/CheckTests.swift.

import CCurl
import Testing

@testable import ObjectStorage

@Suite("What libcurl's verdict means", .timeLimit(.minutes(40)))
struct TransferFailureTests {
    /// libcurl's words say something else each time: they decide nothing.
    private static func failure(
        _ code: CURLcode, verdict: Int, isAnswered: Bool = false, text: String = "SSL, expired, does not match"
    ) throws -> String {
        let endpoint = try S3Endpoint("https://s3.example", setting: "", allowInsecure: false)
        let error = ObjectStoreError(
            curl: code, text: text, verdict: CertificateVerdict(verdict), endpoint: endpoint, isAnswered: isAnswered)
        return "\(error)"
    }

    @Test(
        "A certificate's verdict is OpenSSL's number",
        arguments: [
            // A real libcurl gives 1 for a certificate of another host.
            (0, "write the host name that the certificate has"), (1, "write the host name that the certificate has"),
            (62, "write the host name that the certificate has"),
            (9, "renew the certificate, or set the clock of this machine"),
            (10, "renew the certificate, or set the clock of this machine"),
            (18, "give its CA's certificate with --ca-bundle"), (20, "give its CA's certificate with --ca-bundle"),
            (19, "give its CA's certificate with --ca-bundle"),
        ])
    func certificates(_ number: Int, _ advice: String) throws {
        let line = try Self.failure(CURLE_PEER_FAILED_VERIFICATION, verdict: number)
        #expect(line.hasPrefix("the backup storage cannot be trusted (SSL, expired, does not match: "))
        #expect(line.contains(advice))
    }

    @Test("Time that is over before TLS stands is about TLS, before that about the port")
    func times() throws {
        #expect(try Self.failure(CURLE_OPERATION_TIMEDOUT, verdict: 1, text: "").contains("does not answer in TLS"))
        let early = try Self.failure(CURLE_OPERATION_TIMEDOUT, verdict: 0)
        #expect(early.contains("no connection to s3.example in time"))
        let late = try Self.failure(CURLE_OPERATION_TIMEDOUT, verdict: 0, isAnswered: true, text: "late")
        #expect(late == "the backup storage cannot be reached (late)")
    }

    @Test("A server that takes a connection and says nothing in TLS is told so")
    func silentTLS() async throws {
        let listener = try SilentListener()
        let store = try CannedS3.store(
            listener.endpoint.replacing("http:", with: "https:"),
            timeouts: TransferTimeouts(connect: .milliseconds(300)))
        do throws(ObjectStoreError) {
            try await store.check(deadline: CannedS3.tooFar)
            Issue.record("it answers")
        } catch {
            #expect("\(error)".contains("does not answer in TLS: if it is a port for plain http, write http://"))
        }
        withExtendedLifetime(listener) {}
    }
}
