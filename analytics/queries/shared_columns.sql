-- Columns that several attributes share, because their names differ only in upper and lower case
-- params: day_from=1900-01-01, day_to=2999-12-31
WITH images AS (
  SELECT CAST(json_parse(
    CASE cdc_operation WHEN 'REMOVE' THEN cdc_old_image ELSE cdc_new_image END
  ) AS MAP(VARCHAR, JSON)) AS cdc_image
  FROM changes
  WHERE dt BETWEEN CAST(CAST(? AS date) AS varchar) AND CAST(CAST(? AS date) AS varchar)
),
attributes AS (
  -- Each attribute is an array: its path, and its members if it is a map. In each step a map is
  -- replaced by its members, unless it has none or too many: then the row has it as one column.
  SELECT reduce(
    sequence(1, 31),  -- DynamoDB nests at most 32 levels.
    transform(map_keys(cdc_image), cdc_name -> ARRAY[
      CAST(ARRAY[cdc_name] AS JSON),
      element_at(CAST(element_at(cdc_image, cdc_name) AS MAP(VARCHAR, JSON)), 'M')
    ]),
    (cdc_attributes, cdc_level) -> flatten(transform(cdc_attributes, cdc_attribute -> IF(
      cardinality(CAST(cdc_attribute[2] AS MAP(VARCHAR, JSON))) BETWEEN 1 AND 100,
      transform(map_keys(CAST(cdc_attribute[2] AS MAP(VARCHAR, JSON))), cdc_name -> ARRAY[
        CAST(CAST(cdc_attribute[1] AS ARRAY(VARCHAR)) || ARRAY[cdc_name] AS JSON),
        element_at(CAST(
          element_at(CAST(cdc_attribute[2] AS MAP(VARCHAR, JSON)), cdc_name)
        AS MAP(VARCHAR, JSON)), 'M')
      ]),
      ARRAY[cdc_attribute]
    ))),
    cdc_attributes -> cdc_attributes
  ) AS cdc_attributes
  FROM images
),
paths AS (
  SELECT DISTINCT CAST(cdc_attribute[1] AS ARRAY(VARCHAR)) AS cdc_path
  FROM attributes
  CROSS JOIN UNNEST(cdc_attributes) AS cdc_t(cdc_attribute)
),
lowercase AS (
  -- Only names of letters, digits and single underscores are lowercased; others have a hash.
  SELECT
    cdc_path,
    transform(cdc_path, cdc_name -> IF(
      regexp_like(cdc_name, '^[A-Za-z][A-Za-z0-9]*(_[A-Za-z0-9]+)*\z'), lower(cdc_name), cdc_name
    )) AS cdc_lowercase
  FROM paths
)
SELECT
  array_join(cdc_lowercase, '__') AS shared_column,
  count(*) AS attributes,
  array_join(array_agg(array_join(cdc_path, '.') ORDER BY cdc_path), ', ') AS shared_by
FROM lowercase
WHERE array_join(cdc_lowercase, '__') <> 'dt'
  AND substr(array_join(cdc_lowercase, '__'), 1, 4) <> 'cdc_'
  AND length(array_join(cdc_lowercase, '__')) <= 255
GROUP BY cdc_lowercase
HAVING count(*) > 1
ORDER BY shared_column
