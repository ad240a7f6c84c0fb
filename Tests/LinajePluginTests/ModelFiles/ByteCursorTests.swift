import LinajeDomain
import LinajeModelFiles
import Testing

@Suite("ByteCursor")
struct ByteCursorTests {
    private let bytes: [UInt8] = [1, 2, 3, 4, 5, 6, 7, 0xff, 0xc3, 0xa9]

    @Test("numbers of both orders, floats and texts are taken")
    func numbers() throws {
        var cursor = ByteCursor(bytes, name: "f")
        #expect(try cursor.uint16() == 0x0201)
        #expect(try cursor.uint32(.big) == 0x0304_0506)
        #expect(cursor.peek == 7)
        #expect(try cursor.integer(Int16.self) == -249)
        #expect(try cursor.text(2) == "é")
        #expect(cursor.isAtEnd && cursor.peek == nil)
        try cursor.seek(to: 0)
        #expect(try cursor.uint64(.big) == 0x0102_0304_0506_07ff)
        var float = ByteCursor([0, 0, 0x80, 0x3f], name: "f")
        #expect(try float.float() == 1)
        var double = ByteCursor([0x3f, 0xf0, 0, 0, 0, 0, 0, 0], name: "f")
        #expect(try double.double(.big) == 1)
    }

    @Test(
        "what is not there is an error that names file and place",
        arguments: [
            { try $0.skip(11) }, { try $0.skip(-1) }, { _ = try $0.take(UInt64.max) },
            { try $0.seek(to: 11) }, { try $0.seek(to: -1) }, { _ = try $0.text(.max) },
            {
                try $0.skip(3)
                _ = try $0.uint64()
            },
            {
                try $0.skip(10)
                _ = try $0.byte()
            },
            {
                try $0.skip(7)
                _ = try $0.text(1)
            },
        ] as [@Sendable (inout ByteCursor) throws -> Void])
    func torn(read: @Sendable (inout ByteCursor) throws -> Void) {
        let error = #expect(throws: LinajeError.self) {
            var cursor = ByteCursor(bytes, name: "dir/f", base: 100)
            try read(&cursor)
        }
        #expect(error?.code == .invalidArgument)
        #expect(error?.message.hasPrefix("dir/f ") == true)
        #expect(error?.message.contains("1") == true)
    }

    @Test("a slice is read from its own start")
    func slice() throws {
        var cursor = ByteCursor(bytes[3...5], name: "f", base: 3)
        #expect(try cursor.byte() == 4)
        #expect(cursor.offset == 4)
        #expect(try Array(cursor.take(2)) == [5, 6])
        #expect(throws: LinajeError.self) { try cursor.byte() }
    }
}
