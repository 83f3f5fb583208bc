// An S3 server in another region and with another clock: it keeps objects in memory, and refuses requests that are signed
// for elsewhere or for another time, as S3 does.

import Foundation
import Glibc

/// A small S3 server on loopback that is not where and when its clients think.
final class ElsewhereServer: Sendable {
    private static let script = """
        import base64, calendar, email.utils, hashlib, sys, time
        from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
        region, ahead = sys.argv[1], int(sys.argv[2])
        objects = {}
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            def date_time_string(self, timestamp=None):
                return email.utils.formatdate(time.time() + ahead, usegmt=True)
            def log_message(self, *arguments):
                pass
            def answer(self, status, body=b"", **headers):
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body if self.command != "HEAD" else b"")
            def refuse(self, status, code, more=""):
                self.answer(status, f"<Error><Code>{code}</Code>{more}</Error>".encode())
            def serve(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                scope = self.headers["Authorization"].split("Credential=")[1].split("/")
                signed = calendar.timegm(time.strptime(self.headers["x-amz-date"], "%Y%m%dT%H%M%SZ"))
                if scope[2] != region:
                    return self.refuse(400, "AuthorizationHeaderMalformed", f"<Region>{region}</Region>")
                if abs(signed - time.time() - ahead) > 900:
                    return self.refuse(403, "RequestTimeTooSkewed")
                if hashlib.sha256(body).hexdigest() != self.headers["x-amz-content-sha256"]:
                    return self.refuse(400, "XAmzContentSHA256Mismatch")
                path, _, query = self.path.partition("?")
                if self.command == "GET" and "list-type=2" in query:
                    return self.answer(
                        200, b"<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>")
                if self.command == "PUT" and not query:
                    md5 = hashlib.md5(body)
                    given = self.headers["content-md5"]
                    if given and given != base64.b64encode(md5.digest()).decode():
                        return self.refuse(400, "BadDigest")
                    objects[path] = body
                    return self.answer(200, ETag=f'"{md5.hexdigest()}"')
                if self.command in ("GET", "HEAD") and path in objects:
                    return self.answer(200, objects[path])
                if self.command == "DELETE" and not query:
                    objects.pop(path, None)
                    return self.answer(204)
                self.refuse(404 if self.command in ("GET", "HEAD") else 501, "NoSuchKey")
            do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = serve
        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        print(server.server_port, flush=True)
        server.serve_forever()
        """

    /// The port on 127.0.0.1.
    let port: Int
    private let program: Program

    /// Starts a server whose clock is `ahead` seconds ahead of this machine's.
    init(_ sandbox: Sandbox, region: String, ahead: Int) throws {
        let program = try sandbox.launch(["python3", "-c", Self.script, region, "\(ahead)"])
        self.program = program
        var port: Int?
        try eventually("the server says where it listens: \(program.complaints)") {
            port = Int(program.printed.trimmingCharacters(in: .whitespacesAndNewlines))
            return port != nil
        }
        self.port = port ?? 0
    }

    func stop() {
        program.send(SIGKILL)
        _ = try? program.wait()
    }
}
