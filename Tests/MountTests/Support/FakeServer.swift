// Servers that are not what an operator believes them to be: each answers every request with the same bytes.

import Foundation
import Glibc

/// A server on loopback; with a certificate it speaks TLS.
final class FakeServer: Sendable {
    /// A certificate that signs itself, with its key.
    struct Certificate: Sendable {
        let certificate: String
        let key: String

        /// Makes one for a host (`DNS:name` or `IP:address`), good from 2020 until `end` (YYYYMMDD).
        init(_ sandbox: Sandbox, for host: String, until end: String = "20990101") throws {
            let directory = sandbox.scratch(UUID().uuidString)
            try makeDirectory(directory)
            certificate = directory + "/certificate.pem"
            key = directory + "/key.pem"
            try sandbox.run(["bash", "-c", Self.script, directory, host, end])
        }

        private static let script = """
            set -euo pipefail
            cd "$0"
            printf '%s\\n' '[ca]' 'default_ca=d' '[d]' 'database=index' 'rand_serial=yes' 'new_certs_dir=.' \
                'default_md=sha256' 'policy=p' 'x509_extensions=e' '[p]' 'commonName=supplied' \
                '[e]' "subjectAltName=$1" 'basicConstraints=CA:TRUE' '[req]' 'distinguished_name=n' '[n]' > config
            touch index
            openssl req -config config -newkey rsa:2048 -nodes -subj '/CN=BackupFS test' -keyout key.pem -out request
            openssl ca -config config -batch -selfsign -notext -keyfile key.pem -in request \
                -startdate 20200101000000Z -enddate "$2"000000Z -out certificate.pem
            """
    }

    private static let script = """
        import socket, ssl, sys, threading
        answer = sys.argv[1].encode()
        context = None
        if len(sys.argv) > 2:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(sys.argv[2], sys.argv[3])
        listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        print(listener.getsockname()[1], flush=True)
        def serve(connection):
            try:
                if context:
                    connection = context.wrap_socket(connection, server_side=True)
                head = b""
                while b"\\r\\n\\r\\n" not in head and head[:1] in (b"", b"G", b"P", b"H", b"D"):
                    piece = connection.recv(65536)
                    if not piece:
                        return
                    head += piece
                connection.sendall(answer)
            except OSError:
                pass
            finally:
                connection.close()
        while True:
            threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
        """

    /// The port on 127.0.0.1.
    let port: Int
    private let program: Program

    /// Answers each request with a status line and a body.
    init(_ sandbox: Sandbox, status: String, body: String, _ certificate: Certificate? = nil) throws {
        let answer = "HTTP/1.1 \(status)\r\nContent-Length: \(body.utf8.count)\r\nConnection: close\r\n\r\n\(body)"
        let files = certificate.map { [$0.certificate, $0.key] } ?? []
        let program = try sandbox.launch(["python3", "-c", Self.script, answer] + files)
        self.program = program
        var port: Int?
        try eventually("the fake server says where it listens: \(program.complaints)") {
            port = Int(program.printed.trimmingCharacters(in: .whitespacesAndNewlines))
            return port != nil
        }
        self.port = port ?? 0
    }

    /// An S3 server that refuses everything with a code.
    convenience init(_ sandbox: Sandbox, status: String, code: String, more: String = "") throws {
        try self.init(sandbox, status: status, body: "<Error><Code>\(code)</Code>\(more)</Error>")
    }

    func stop() {
        program.send(SIGKILL)
        _ = try? program.wait()
    }
}
