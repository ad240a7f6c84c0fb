/* SQLite's system calls through CStorageCalls. */
#ifndef CSQLITECALLS_H
#define CSQLITECALLS_H

/* Call before a database is opened. When storage faults are armed, SQLite's table of system calls
 * (xSetSystemCall) is made to point to CStorageCalls from then on; the fsyncs, which are not in that
 * table, take their turn in xSync. Otherwise SQLite stays as it is. */
void sqlite_calls_prepare(void);

/* Makes closing a connection leave the log beside the database as it is, without a checkpoint
 * (SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE). `database` is a sqlite3 *. */
void sqlite_calls_keep_log(void *database);

#endif
