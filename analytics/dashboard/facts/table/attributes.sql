-- Attributes of the items in the table, by type: how many items have each, how many different values
-- it has, and its ten most frequent values. Only texts, numbers and truth values are compared. Values
-- are listed of attributes with at most 50 different ones; without :with_values only truth values,
-- because others may name people. Members of maps are attributes too, down to the third level, but not
-- those of a map with more than 100 different ones in all items: it is keyed by data. A path such as
-- customer."first.name" has quotes where a name has a dot or a quote. `attributes` is the number of
-- attributes, of which the limit may leave some out.
SELECT
  IF(length(attribute) > 200, substr(attribute, 1, 199) || '…', attribute) AS attribute,
  type,
  items,
  distinct_values,
  attributes,
  IF(is_listed, substr(value, 1, 100)) AS value,
  IF(is_listed, value_items, 0) AS value_items
FROM (
  SELECT
    *,
    (:with_values OR type = 'BOOL') AND distinct_values BETWEEN 1 AND 50
      AND (distinct_values < items OR type = 'BOOL') AS is_listed
  FROM (
    SELECT
      *,
      CAST(sum(value_count) OVER (PARTITION BY attribute, type) AS bigint) AS items,
      count(value) OVER (PARTITION BY attribute, type) AS distinct_values,
      max(attribute_number) OVER () AS attributes,
      value_count AS value_items,
      row_number() OVER (PARTITION BY attribute, type ORDER BY value_count DESC, value) AS place
    FROM (
      SELECT
        *,
        dense_rank() OVER (ORDER BY attribute) AS attribute_number
      FROM (
        SELECT
          array_join(transform(
            filter(ARRAY['.' || name, member, submember], part -> part <> ''),
            part -> IF(
              strpos(substr(part, 2), '.') > 0 OR strpos(part, '"') > 0,
              '"' || replace(substr(part, 2), '"', '""') || '"',
              substr(part, 2)
            )
          ), '.') AS attribute,
          type,
          value,
          value_count,
          IF(member = '', 1, IF(submember = '', 2, 3)) AS level,
          max(member_number) OVER (PARTITION BY name) - 1 AS members,
          max(submember_number) OVER (PARTITION BY name, member) - 1 AS submembers
        FROM (
          SELECT
            *,
            dense_rank() OVER (PARTITION BY name ORDER BY member) AS member_number,
            dense_rank() OVER (PARTITION BY name, member ORDER BY submember) AS submember_number
          FROM (
            SELECT
              name,
              member,
              submember,
              type,
              value,
              count(*) AS value_count
            FROM (
              SELECT
                name,
                member,
                submember,
                map_keys(typed)[1] AS type,
                IF(
                  map_keys(typed)[1] IN ('S', 'N', 'BOOL'),
                  json_extract_scalar(map_values(typed)[1], '$')
                ) AS value
              FROM (
                SELECT
                  name,
                  member,
                  submember,
                  CAST(typed AS MAP(VARCHAR, JSON)) AS typed
                FROM orders
                CROSS JOIN UNNEST(CAST(json_parse(image) AS MAP(VARCHAR, JSON))) AS a(name, attribute)
                CROSS JOIN UNNEST(:members(attribute)) AS m(member, member_typed)
                CROSS JOIN UNNEST(
                  IF(member = '', MAP(ARRAY[''], ARRAY[member_typed]), :members(member_typed))
                ) AS s(submember, typed)
                WHERE NOT removed
              )
            )
            GROUP BY name, member, submember, type, value
          )
        )
      )
      WHERE (level = 1 OR members <= 100) AND (level < 3 OR submembers <= 100)
    )
  )
)
WHERE place <= IF(is_listed, 10, 1)
ORDER BY level, items DESC, attribute, type, place
LIMIT 3000
