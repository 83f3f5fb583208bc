// What was moved out of the way, as an operator sees it and gets it back.

import Foundation
import Testing

@Suite("backupfs aside")
struct AsideTests {
    @Test("What was in the way is listed with its path, comes back beside, and is removed only when asked for")
    func commands() async throws {
        try await Sandbox.run(.directory) { sandbox in
            try makeDirectory(sandbox.path("shop"))
            for index in 1...2 {
                try writeFile(sandbox.mainPath("shop/\(index).jpg"), photo(index))
                try writeFile(sandbox.path("shop/\(index).jpg"), photo(index + 10))
            }
            #expect(try sandbox.status().aside == 2)
            let text = try sandbox.run([backupfs, "aside", sandbox.mountPoint]).output
            #expect(
                text.contains("1  shop/1.jpg: not known to the catalogue") && text.hasSuffix("2 things set aside\n"))
            #expect(try sandbox.leftovers().count == 2)
            let back = try sandbox.run([backupfs, "aside", sandbox.mountPoint, "--restore", "1"]).output
            #expect(back == "1 is back as shop/1.jpg (set aside 1)\n")
            #expect(try readFile(sandbox.path("shop/1.jpg (set aside 1)")) == photo(1))
            #expect(try readFile(sandbox.path("shop/1.jpg")) == photo(11))
            try sandbox.run([backupfs, "aside", sandbox.mountPoint, "--discard", "2"])
            #expect(try sandbox.status().aside == 0)
            #expect(try sandbox.run([backupfs, "aside", sandbox.mountPoint, "--json"]).output == "[]\n")
            try sandbox.settle()
            #expect(try sandbox.backedUp("shop/1.jpg (set aside 1)") == photo(1))
            let wrong = try sandbox.outcome([backupfs, "aside", sandbox.mountPoint, "--restore", "2"])
            #expect(wrong.status == 1 && wrong.errors.contains("nothing with the number 2 is set aside"))
        }
    }
}
