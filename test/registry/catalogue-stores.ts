import { type PostgresServer, startPostgres } from "../postgres.ts";

/** One of the databases that a registry can keep its catalogue in. */
export interface CatalogueStore {
  readonly name: string;
  /** Settings for a registry on a new, empty database; the embedded one lies in the data directory. */
  settings(): Promise<Readonly<Record<string, string>>>;
}

let server: Promise<PostgresServer> | undefined;

// At the root: one server for every file of a run.
after(async function () {
  this.timeout(120_000);
  await (await server)?.stop();
});

/** What every test of the catalogue runs on. */
export const catalogueStores: readonly CatalogueStore[] = [
  { name: "embedded", settings: async () => ({}) },
  {
    name: "PostgreSQL",
    settings: async () => {
      server ??= startPostgres();
      return { AMAAS_DATABASE_URL: await (await server).createDatabase() };
    },
  },
];
