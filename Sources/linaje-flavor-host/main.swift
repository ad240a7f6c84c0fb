import Glibc
import LinajePluginKit

exit(await FlavorHost.serve(try BuiltinFlavors.catalog().flavors))
