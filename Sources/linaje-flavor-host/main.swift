import Glibc
import LinajeHost
import LinajePluginKit

exit(await FlavorHostProgram.run(Array(CommandLine.arguments.dropFirst())))
