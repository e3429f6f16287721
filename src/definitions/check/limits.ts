/**
 * Bounds on definitions. They are constants, not options: two processes with different bounds would disagree on
 * whether a stored snapshot is valid.
 */

/** A row of 1,000 doubles is 11 KB; wider views make every point read pay for columns that few models use. */
export const FEATURES_PER_VIEW_MAX = 1_000
/** Keys are hashed and compared on every request; real ones have one to three parts. */
export const JOIN_KEYS_PER_VIEW_MAX = 16
/** Every view is a table with files and a log of its own. */
export const VIEWS_MAX = 1_000
/** A request reads one row per member and entity. */
export const MEMBERS_PER_SERVICE_MAX = 100
/** 64 KB a vector: the largest embeddings in common use have 4,096 dimensions. */
export const VECTOR_LENGTH_MAX = 16_384
/** Longer SQL belongs in a table or a file that it reads. */
export const SQL_LENGTH_MAX = 100_000
export const FILES_PER_SOURCE_MAX = 64
/** Descriptions travel in every answer of Describe. */
export const DESCRIPTION_LENGTH_MAX = 1_000
/** Defaults travel with every plan. */
export const DEFAULT_LENGTH_MAX = 16_384
/** Versions are part of key and folder names; each is meant to be a human decision. */
export const VIEW_VERSION_MAX = 1_000_000
/** A hundred million entities of 100 bytes are 10 GB: more are not a part of anything that is online. */
export const KEPT_ONLINE_MAX = 100_000_000
/** Look-ups share two jobs at a time unless told otherwise: more a second are a workload for the online store. */
export const LOOKUPS_PER_SECOND_MAX = 10_000
/** Nobody who asks for online features waits longer. */
export const LOOKUP_TIMEOUT_MS_MAX = 60_000
/** A hundred years in seconds: a longer duration is a wrong unit, and 2^53 microseconds is not far above. */
export const DURATION_SECONDS_MAX = 100 * 365 * 86_400
