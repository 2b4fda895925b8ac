// Walk through the sandbox at argv[2] with dynamics-web-api and print what each step gave, as JSON.
"use strict";

const { DynamicsWebApi } = require("dynamics-web-api");

const ADA = "10000000-0000-4000-8000-000000000001";
const BO = "10000000-0000-4000-8000-000000000002";
const CREW = "20000000-0000-4000-8000-000000000001";
const DEPOT = "20000000-0000-4000-8000-000000000002";
const ROW = "30000000-0000-4000-8000-000000000001";
const NEW = "30000000-0000-4000-8000-0000000000ff";
const OTHER = "30000000-0000-4000-8000-0000000000fe";
const KEY = "usermobileofflineprofilemembershipid";
const TABLE = "usermobileofflineprofilemembership";
const collection = "usermobileofflineprofilememberships";
const profiles = "mobileofflineprofiles";
const COLLECTION =
  "mobileofflineprofile_usermobileofflineprofilemembership_MobileOfflineProfileId";

const url = process.argv[2];
const api = new DynamicsWebApi({
  serverUrl: url,
  dataApi: { version: "9.2" },
  onTokenRefresh: async () => "a token",
});

const found = {};

async function step(name, work) {
  try {
    found[name] = (await work()) ?? null;
  } catch (error) {
    found[name] = {
      refused: error.status ?? String(error.message ?? error),
      code: error.code,
      wait: error.headers?.["retry-after"],
    };
  }
}

const bound = (profile) => `/${profiles}(${profile})`;
const target = (more) => ({ "@odata.type": `Microsoft.Dynamics.CRM.${TABLE}`, ...more });
const name = async (key) => (await api.retrieve({ collection, key, select: ["name"] })).name;
const profile = async (key) =>
  (await api.retrieve({ collection, key, select: ["_mobileofflineprofileid_value"] }))
    ._mobileofflineprofileid_value;

async function writes() {
  await step("create", () =>
    api.create({
      collection,
      data: {
        [KEY]: NEW,
        name: "made there",
        "SystemUserId@odata.bind": `/systemusers(${BO})`,
        "MobileOfflineProfileId@odata.bind": bound(CREW),
      },
    }),
  );
  await step("create again", () => api.create({ collection, data: { [KEY]: NEW, name: "x" } }));
  await step("create and show", async () => {
    const made = await api.create({
      collection,
      data: { [KEY]: OTHER, name: "shown" },
      returnRepresentation: true,
    });
    return [made[KEY], made.name, made["@odata.etag"] !== undefined];
  });
  await step("update", async () => {
    const done = await api.update({ collection, key: NEW, data: { name: "changed" } });
    return [done, await name(NEW)];
  });
  await step("update what is gone", () =>
    api.update({ collection, key: DEPOT, data: { name: "x" } }),
  );
  await step("update an old version", () =>
    api.update({ collection, key: NEW, data: { name: "x" }, ifmatch: 'W/"1"' }),
  );
  await step("one column", async () => {
    await api.updateSingleProperty({ collection, key: NEW, fieldValuePair: { name: "one" } });
    return name(NEW);
  });
  await step("empty a column", async () => {
    await api.deleteRecord({ collection, key: NEW, property: "name" });
    return name(NEW);
  });
  await step("upsert", async () => {
    await api.upsert({ collection, key: NEW, data: { name: "upserted" } });
    return name(NEW);
  });
  await step("upsert, create only", () =>
    api.upsert({ collection, key: NEW, data: { name: "x" }, ifnonematch: "*" }),
  );
  await step("upsert, update only", () =>
    api.upsert({ collection, key: DEPOT, data: { name: "x" }, ifmatch: "*" }),
  );
  await step("associate", async () => {
    const related = { relatedCollection: profiles, relatedKey: DEPOT };
    const navigationProperty = "MobileOfflineProfileId";
    await api.associateSingleValued({ collection, primaryKey: NEW, navigationProperty, ...related });
    return profile(NEW);
  });
  await step("disassociate", async () => {
    const navigationProperty = "MobileOfflineProfileId";
    await api.disassociateSingleValued({ collection, primaryKey: NEW, navigationProperty });
    return profile(NEW);
  });
  const parent = { collection: profiles, primaryKey: CREW, relationshipName: COLLECTION };
  await step("associate from the parent", async () => {
    await api.associate({ ...parent, relatedCollection: collection, relatedKey: NEW });
    return profile(NEW);
  });
  await step("disassociate from the parent", async () => {
    await api.disassociate({ ...parent, relatedKey: NEW });
    return profile(NEW);
  });
  await step("delete", () => api.deleteRecord({ collection, key: OTHER }));
  await step("delete again", () => api.deleteRecord({ collection, key: OTHER }));
}

async function bulk() {
  const actionName = (message) => `Microsoft.Dynamics.CRM.${message}`;
  let ids = [];
  await step("create many", async () => {
    const Targets = [...Array(12).keys()].map((number) => target({ name: `row ${number}` }));
    const done = await api.callAction({
      collection,
      actionName: actionName("CreateMultiple"),
      action: { Targets },
    });
    ids = done.Ids;
    return ids.length;
  });
  await step("update many", async () => {
    const Targets = ids.map((id) => target({ [KEY]: id, name: "renamed" }));
    await api.callAction({ collection, actionName: actionName("UpdateMultiple"), action: { Targets } });
    return name(ids[11]);
  });
  await step("create many with one bad", () =>
    api.callAction({
      collection,
      actionName: actionName("CreateMultiple"),
      action: { Targets: [target({ name: "good" }), target({ name: "x".repeat(101) })] },
    }),
  );
}

async function reads() {
  await step("pages", async () => {
    const sizes = [];
    const request = { collection, select: ["name"], maxPageSize: 5, count: true };
    let page = await api.retrieveMultiple(request);
    const counted = page.oDataCount;
    sizes.push(page.value.length);
    while (page.oDataNextLink) {
      page = await api.retrieveMultiple(request, page.oDataNextLink);
      sizes.push(page.value.length);
    }
    return { sizes, counted };
  });
  await step("all pages at once", async () => {
    const all = await api.retrieveAll({ collection, select: ["name"], maxPageSize: 4 });
    return all.value.length;
  });
  await step("filter", async () => {
    const page = await api.retrieveMultiple({
      collection,
      select: ["name"],
      filter: `_systemuserid_value eq ${ADA} and name eq 'by hand'`,
      orderBy: ["name desc"],
      top: 3,
    });
    return page.value.map((row) => row.name);
  });
  await step("expand", async () => {
    const expand = [{ property: "SystemUserId", select: ["fullname"] }];
    const row = await api.retrieve({ collection, key: ROW, select: ["name"], expand });
    return row.SystemUserId.fullname;
  });
  await step("annotations", async () => {
    const includeAnnotations = "*";
    const row = await api.retrieve({
      collection,
      key: ROW,
      select: ["statecode", "_systemuserid_value"],
      includeAnnotations,
    });
    return [row.statecode_Formatted, row._systemuserid_value_LogicalName];
  });
  await step("count", () => api.count({ collection }));
  await step("count some", () => api.count({ collection, filter: "name eq 'renamed'" }));
  await step("a row that is not there", () => api.retrieve({ collection, key: DEPOT }));
  await step("a column that is not there", () =>
    api.retrieveMultiple({ collection, select: ["colour"] }),
  );
  await step("who am I", async () => (await api.callFunction("WhoAmI")).UserId);
}

async function batches() {
  await step("batch", async () => {
    api.startBatch();
    api.retrieveMultiple({ collection, select: ["name"], filter: "name eq 'by hand'" });
    api.create({
      collection: profiles,
      data: { name: "Night" },
      contentId: "1",
      inChangeSet: true,
    });
    api.create({
      collection,
      data: { name: "in the set", "MobileOfflineProfileId@odata.bind": "$1" },
      inChangeSet: true,
    });
    const [page, made, row] = await api.executeBatch();
    return [page.value.length, (await profile(row)) === made];
  });
  await step("batch that fails", async () => {
    const before = await api.count({ collection });
    let refused = null;
    try {
      api.startBatch();
      api.create({ collection, data: { name: "never" }, inChangeSet: true });
      api.create({ collection, data: { [KEY]: ROW }, inChangeSet: true });
      await api.executeBatch();
    } catch (errors) {
      refused = [].concat(errors)[0].status;
    }
    return [refused, (await api.count({ collection })) - before];
  });
  await step("batch that goes on", async () => {
    api.startBatch();
    api.deleteRecord({ collection, key: DEPOT });
    api.update({ collection, key: NEW, data: { name: "went on" } });
    try {
      await api.executeBatch({ continueOnError: true, inChangeSet: false });
    } catch {
      // It throws what failed, after all of it was tried.
    }
    return name(NEW);
  });
}

async function changes() {
  let link;
  await step("first tracked read", async () => {
    const page = await api.retrieveMultiple({ collection, select: ["name"], trackChanges: true });
    link = page.oDataDeltaLink;
    return [page.value.length > 1, link.startsWith(url)];
  });
  await step("changes", async () => {
    await api.update({ collection, key: ROW, data: { name: "tracked" } });
    await api.deleteRecord({ collection, key: NEW });
    const request = { collection, select: ["name"] };
    const page = await api.retrieveMultiple(request, link);
    return page.value.map((entry) => entry.name ?? entry.reason);
  });
}

async function metadata() {
  await step("tables", async () => {
    const select = ["LogicalName", "EntitySetName"];
    const all = await api.retrieveEntities({ select, filter: `LogicalName eq '${TABLE}'` });
    return all.value.map((each) => each.EntitySetName);
  });
  await step("columns", async () => {
    const all = await api.retrieveAttributes({
      entityKey: `LogicalName='${TABLE}'`,
      castType: "Microsoft.Dynamics.CRM.LookupAttributeMetadata",
      select: ["LogicalName", "Targets"],
    });
    return all.value.map((each) => each.LogicalName).includes("systemuserid");
  });
  await step("relationships", async () => {
    const all = await api.retrieveRelationships({
      castType: "Microsoft.Dynamics.CRM.OneToManyRelationshipMetadata",
      select: ["SchemaName"],
    });
    return all.value.map((each) => each.SchemaName).includes(COLLECTION);
  });
  await step("csdl", async () => (await api.retrieveCsdlMetadata()).includes(TABLE));
}

async function main() {
  for (const part of [writes, bulk, reads, batches, changes, metadata]) await part();
  await fetch(`${url}/_sandbox/faults`, {
    method: "POST",
    body: JSON.stringify({ kind: "429", status: 429, count: 1, retry_after: 7 }),
  });
  await step("429", () => api.callFunction("WhoAmI"));
  await step("after it", async () => (await api.callFunction("WhoAmI")).UserId !== undefined);
  console.log(JSON.stringify(found, null, 1));
}

main();
