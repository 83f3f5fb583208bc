// Tests/Tools/s3-proxy as a child: the daemon's endpoint, which logs what is asked and can do what bad servers do.

import Foundation
import Glibc

/// One proxy in front of the S3 server.
final class S3Proxy: Sendable {
    /// Where the daemon connects.
    let endpoint: String
    private let control: String
    private let program: Program
    private let log: String
    private let directory: String

    init(upstream: String, directory: String) throws {
        self.directory = directory
        log = directory + "/requests"
        try writeFile(log, [])
        let upstreamHost = String(upstream.trimmingPrefix("http://"))
        let program = try Program(
            ["\(repository)/Tests/Tools/s3-proxy", "--upstream", upstreamHost, "--log", log, "--until-eof"],
            leash: true, output: directory + "/proxy")
        self.program = program
        struct Ports: Decodable {
            var port: Int
            var control: Int
        }
        var ports: Ports?
        try eventually("the proxy says where it listens: \(program.complaints)") {
            ports = try? JSONDecoder().decode(Ports.self, from: Data(program.printed.utf8))
            return ports != nil
        }
        guard let ports else { throw Hang(what: "the proxy") }
        endpoint = "http://127.0.0.1:\(ports.port)"
        control = "http://127.0.0.1:\(ports.control)/__control"
    }

    func stop() {
        program.send(SIGTERM)
        _ = try? program.wait()
    }

    /// Sets what happens to requests; see `s3-proxy --help`.
    func set(
        _ mode: String, method: String? = nil, path: String? = nil, count: Int? = nil, status: Int? = nil,
        code: String? = nil, ms: Int? = nil
    ) throws {
        var fault: [String: Any] = ["mode": mode]
        fault["method"] = method
        fault["path"] = path
        fault["count"] = count
        fault["status"] = status
        fault["code"] = code
        fault["ms"] = ms
        let json = String(decoding: try JSONSerialization.data(withJSONObject: fault), as: UTF8.self)
        try ask(["-d", json])
    }

    /// How many requests the current mode has met.
    func hits() throws -> Int {
        struct State: Decodable { var hits: Int }
        return try JSONDecoder().decode(State.self, from: Data(try ask([]).utf8)).hits
    }

    @discardableResult
    private func ask(_ arguments: [String]) throws -> String {
        let outcome = try Program(
            ["curl", "-sS", "--fail", "--max-time", "60"] + arguments + [control],
            output: directory + "/control-\(UUID().uuidString)"
        ).wait()
        guard outcome.status == 0 else { throw ProgramFailure(outcome: outcome) }
        return outcome.output
    }

    /// The requests for files so far: without the journal, the marker and listings.
    func requests(_ method: String) throws -> [LoggedRequest] {
        try String(decoding: readFile(log), as: UTF8.self).split(separator: "\n").map {
            try JSONDecoder().decode(LoggedRequest.self, from: Data($0.utf8))
        }.filter {
            $0.method == method && !$0.path.contains("/.backupfs/") && !$0.query.contains("list-type")
                && !$0.query.contains("uploads")
        }
    }
}
